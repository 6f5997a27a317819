//! Names of object identifiers, for messages.

use der::asn1::ObjectIdentifier;
use der::oid::db::DB;

/// The name that an RFC gives to an object identifier; of one that is not known, its numbers.
pub(crate) fn name(oid: &ObjectIdentifier) -> String {
    DB.by_oid(oid).map_or_else(|| oid.to_string(), str::to_owned)
}

//! ML-DSA private keys in PKCS#8 (RFC 9881, 6): a seed, the expanded key, or both, as OpenSSL writes them.

use der::asn1::{AnyRef, OctetStringRef};
use der::{Decode, Sequence, Tag, Tagged};
use ml_dsa::{MlDsaParams, SigningKey};
use pkcs8::PrivateKeyInfoRef;
use pkcs8::spki::AssociatedAlgorithmIdentifier;

use crate::{Error, Result};

#[derive(Sequence)]
struct Both<'k> {
    seed: &'k OctetStringRef,
    expanded_key: &'k OctetStringRef,
}

/// Reads a key by its seed. Nothing tells whether an expanded key by itself is sound.
pub fn read<P>(key: PrivateKeyInfoRef<'_>) -> Result<SigningKey<P>>
where
    P: MlDsaParams + AssociatedAlgorithmIdentifier<Params = AnyRef<'static>>,
{
    let malformed = |error: &dyn ToString| Error::KeyMalformed(error.to_string());
    let der = key.private_key.as_bytes();
    match AnyRef::from_der(der).map_err(|error| malformed(&error))?.tag() {
        Tag::OctetString => Err(Error::KeyWithoutSeed),
        Tag::Sequence => {
            let both = Both::from_der(der).map_err(|error| malformed(&error))?;
            let seed =
                both.seed.as_bytes().try_into().map_err(|_| malformed(&"its seed has not 32 bytes"))?;
            let key = SigningKey::from_seed(&seed);
            #[expect(deprecated, reason = "RFC 9881 has both compared")]
            let expanded = key.expanded_key().to_expanded();
            if expanded.as_slice() != both.expanded_key.as_bytes() {
                return Err(malformed(&"its expanded key is not that of its seed"));
            }
            Ok(key)
        }
        _ => key.try_into().map_err(|error: pkcs8::Error| malformed(&error)),
    }
}

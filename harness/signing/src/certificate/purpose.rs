//! What a certificate is for.

use std::fmt;
use std::str::FromStr;

use der::asn1::ObjectIdentifier;
use der::oid::db::rfc5912::ID_KP_CODE_SIGNING;

use crate::Error;

/// The private enterprise number that is reserved for documentation and examples (RFC 5612).
pub const DOCUMENTATION_PEN: u32 = 32473;

/// What a certificate allows its key to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Issue certificates: `CA:TRUE`, `keyCertSign`.
    Ca,
    /// Sign programs: `CA:FALSE`, `digitalSignature`.
    Signer,
}

/// What a signer may sign, as an extended key usage (RFC 5280, 4.2.1.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Programs: `1.3.6.1.4.1.PEN.1`.
    Program,
    /// Attestations: `1.3.6.1.4.1.PEN.2`.
    Attestation,
    /// Packages: `1.3.6.1.4.1.PEN.3`.
    Package,
    /// Policies that grant unsigned programs: `1.3.6.1.4.1.PEN.4`. A policy is a program as well.
    Policy,
    /// PE images, by Authenticode: code signing, which RFC 5280 has a number for.
    Code,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Purpose; 5] =
        [Purpose::Program, Purpose::Attestation, Purpose::Package, Purpose::Policy, Purpose::Code];

    /// The object identifier; our own are below a private enterprise number.
    pub fn oid(self, pen: u32) -> ObjectIdentifier {
        const PRIVATE_ENTERPRISES: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1");
        let number = match self {
            Purpose::Program => 1,
            Purpose::Attestation => 2,
            Purpose::Package => 3,
            Purpose::Policy => 4,
            Purpose::Code => return ID_KP_CODE_SIGNING,
        };
        PRIVATE_ENTERPRISES.push_arc(pen).and_then(|oid| oid.push_arc(number)).expect("eight arcs fit")
    }

    /// The private enterprise number of an object identifier that has this purpose's number below it.
    pub fn pen(self, oid: &ObjectIdentifier) -> Option<u32> {
        const PEN: usize = 6;
        oid.arc(PEN).filter(|pen| self != Purpose::Code && self.oid(*pen) == *oid)
    }

    fn name(self) -> &'static str {
        match self {
            Purpose::Program => "program",
            Purpose::Attestation => "attestation",
            Purpose::Package => "package",
            Purpose::Policy => "policy",
            Purpose::Code => "code",
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Purpose {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let purpose = Purpose::ALL.into_iter().find(|purpose| purpose.name() == name);
        purpose.ok_or_else(|| Error::UnknownPurpose(name.into()))
    }
}

/// A role, and what it is limited to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The role.
    pub role: Role,
    /// Extended key usages; none: not limited. For a CA, they limit the certificates that it issues.
    pub purposes: Vec<ObjectIdentifier>,
}

impl Role {
    /// The role, limited to purposes that are numbered by the owner of a private enterprise number.
    pub fn limited_to(self, purposes: &[Purpose], pen: u32) -> Usage {
        Usage { role: self, purposes: purposes.iter().map(|purpose| purpose.oid(pen)).collect() }
    }
}

impl From<Role> for Usage {
    fn from(role: Role) -> Self {
        Usage { role, purposes: Vec::new() }
    }
}

//! Known answers that other tools agree with, and bad input. Needs `openssl` and compilers.

mod artifact;
mod attestation;
mod authenticode;
mod certificate;
mod cms;
mod compilers;
mod description;
mod difference;
mod embed;
mod facts;
mod key;
mod manifest;
mod openssl;
mod package;
mod statement;
mod trust;

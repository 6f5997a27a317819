//! Known answers that other tools agree with, and bad input. Needs `openssl` and compilers.

mod certificate;
mod cms;
mod description;
mod difference;
mod compilers;
mod embed;
mod key;
mod manifest;
mod openssl;
mod statement;

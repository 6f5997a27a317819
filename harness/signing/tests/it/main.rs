//! Known answers that other tools agree with, and bad input. Needs the `openssl` command.

mod certificate;
mod cms;
mod description;
mod difference;
mod key;
mod manifest;
mod openssl;
mod statement;

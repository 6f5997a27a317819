//! The manifest: everything about one program that a signature binds.

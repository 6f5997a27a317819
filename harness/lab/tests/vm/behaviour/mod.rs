//! Programs do signed what they do unsigned: each test says what an object of the corpus has to do, and checks it for
//! the object loaded by us with a signature, and by libbpf without.

mod cgroups;
mod extensions;
mod externs;
mod packets;
mod struct_ops;
mod tracing;

pub use externs::load_module;

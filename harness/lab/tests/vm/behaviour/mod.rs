//! Programs do signed what they do unsigned: each test states what an object of the corpus is to do, and demands it of
//! the object as we load it with a signature and as libbpf loads it.

mod cgroups;
mod extensions;
mod externs;
mod packets;
mod struct_ops;
mod tracing;

pub use externs::load_module;

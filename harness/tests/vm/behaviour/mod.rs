//! Programs do signed what they do unsigned: each test states what an object of the corpus is to do, and demands it of
//! the object as libbpf loads it and as we load it with a signature.

mod packets;

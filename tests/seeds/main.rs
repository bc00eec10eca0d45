//! The fuzz targets on a stable compiler, see `replay`; `fuzz/src/lib.rs` runs the same for the coverage figure.

// The targets know it by its full name.
extern crate dht as trackless_dht;

mod replay;

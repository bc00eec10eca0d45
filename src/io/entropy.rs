//! Seeds for the pure machines: the only place where the operating system's random source is read.

use rand::TryRng;
use rand::rngs::SysRng;

/// 32 bytes from the operating system; every machine expands its own seed with ChaCha8.
///
/// # Errors
/// When the operating system has no randomness to give, which ends the start of a client.
pub fn seed() -> std::io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    SysRng
        .try_fill_bytes(&mut seed)
        .map_err(std::io::Error::other)?;
    Ok(seed)
}

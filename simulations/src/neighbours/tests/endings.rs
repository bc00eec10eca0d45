//! When each policy's lookup ends, against a scripted set of nodes of which one is dead.

//! Scripted conversations with the machine.

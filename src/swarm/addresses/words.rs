//! What is asked of the address book and what it answers. Words only.

/// What the owner needs of addresses now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// Anybody.
    Any,
    /// Peers that may lack something.
    Incomplete,
}

/// Whether a connection from outside is wanted, as far as its address goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Welcome {
    /// It is.
    Yes,
    /// The address proved hostile.
    Banned,
    /// The address lies in a range that is not allowed.
    OutOfRange,
    /// There is a connection with that IP.
    Duplicate,
}

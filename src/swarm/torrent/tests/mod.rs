//! The machine in conversation: whole swarms in virtual time ([`swarms`]), single connections by
//! script ([`scripts`]). [`world`] joins machines back to back.

mod scripts;
mod swarms;
mod world;

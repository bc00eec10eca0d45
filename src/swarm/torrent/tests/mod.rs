//! The machine in conversation: whole swarms in virtual time ([`swarms`]), single connections by
//! script ([`scripts`], [`uploads`], [`gossip`], [`facts`], [`hostile`]), promised figures
//! ([`figures`]). [`world`] joins machines back to back.

mod cast;
mod facts;
mod figures;
mod gossip;
mod hostile;
mod moved;
mod scripts;
mod swarms;
mod uploads;
mod world;

//! The survey: single questions into those parts of the key space where the pool knows too few.
//!
//! A newcomer knows its own neighbourhood, and lookups go elsewhere. So once it has joined it asks, one
//! node after the other, for nodes near a place it knows little of: each answer names eight. Invariant:
//! at most one question is fresh, and after joining `Tuning::survey` in all.

use std::time::Instant;

use bencode::Family;

use super::{Node, Purpose};
use crate::contact::Contact;
use crate::message::{Method, Response};
use crate::transactions::Pending;

impl Node {
    /// The node has joined in `family`: it looks around.
    pub(super) fn begin_survey(&mut self, now: Instant, family: Family) {
        let runs = self.memory.survey[family] > 0;
        self.memory.survey[family] = self.config.tuning.survey;
        if !runs {
            self.survey(now, family);
        }
    }

    /// The next question, if one is left and somebody can be asked.
    pub(super) fn survey(&mut self, now: Instant, family: Family) {
        let Some(left) = self.memory.survey[family].checked_sub(1) else {
            return;
        };
        self.memory.survey[family] = if self.ask_around(now, family) {
            left
        } else {
            0
        };
    }

    /// Asks whoever is known nearest to a place where few are known. `false`: there is no such place, or
    /// nobody to ask.
    pub(super) fn ask_around(&mut self, now: Instant, family: Family) -> bool {
        let Some(target) = self.memory.pools[family].neediest(&mut self.rng) else {
            return false;
        };
        let near = self.memory.pools[family].closest(now, &target, 8);
        let free = |known: &&crate::pool::Acquaintance| {
            !self.asking.awaits(known.contact.endpoint)
                && !self
                    .memory
                    .unreachable
                    .contains(now, known.contact.endpoint)
        };
        let Some(contact) = near.iter().find(free).map(|known| known.contact) else {
            return false;
        };
        let whom = (contact.endpoint, Some(contact.id));
        self.ask(now, whom, Purpose::Survey, &Method::FindNode { target })
    }

    /// An answer to such a question.
    pub(super) fn surveyed(
        &mut self,
        now: Instant,
        question: &Pending<Purpose>,
        response: &Response<'_>,
    ) {
        let named = self.usable(response);
        self.hear_of(now, &named);
        self.survey_goes_on(now, question);
    }

    /// A question ended; unless it was slow, when the next one took its place.
    pub(super) fn survey_goes_on(&mut self, now: Instant, question: &Pending<Purpose>) {
        if question.is_fresh() {
            self.survey(now, question.to.family());
        }
    }

    /// Remembers nodes that an answer named.
    pub(super) fn hear_of(&mut self, now: Instant, named: &[Contact]) {
        for contact in named {
            let address = self.address(contact.endpoint);
            self.memory.pools[contact.endpoint.family()].named(now, *contact, address);
        }
    }
}

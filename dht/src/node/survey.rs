//! The survey: single questions into those parts of the key space where the pool knows too few.
//!
//! A newcomer knows its own neighbourhood, and lookups go elsewhere. So once it has joined it asks, one
//! node after the other, for nodes near a place it knows little of: each answer names eight. Invariant:
//! at most one question is fresh, and `Tuning::survey` in all. In a small network it rests, once everybody is
//! known, until our own id is looked up again: few nodes answer only so many questions, and lookups need those.

use std::time::Instant;

use bencode::Family;

use super::{Node, Purpose};
use crate::contact::Contact;
use crate::family::PerFamily;
use crate::message::{Method, Response};
use crate::transactions::Pending;

/// Answers in a row that name nobody new, after which it rests if it knows nobody but a few.
const FRUITLESS: u8 = 3;
/// Hundreds of questions to fewer than this are more than they answer at once, ten each (`limiter`). `Threat:`
/// whoever names nobody new ends the survey of none who knows more: it is what gets a newcomer out of a ring.
const FEW: usize = 32;

/// How far the survey of a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Survey {
    /// So many questions may be asked once our own id has been looked up.
    Resting { left: u16 },
    /// So many may still be asked; the last answers, so many, named nobody new.
    Underway { left: u16, fruitless: u8 },
}

impl Survey {
    /// One of each family, of so many questions, which begins when the node has joined.
    pub(super) fn ahead(questions: u16) -> PerFamily<Survey> {
        PerFamily::both(Survey::Resting { left: questions })
    }
}

impl Node {
    /// Our own id in `family` has been looked up: whoever named us others may name more.
    pub(super) fn begin_survey(&mut self, now: Instant, family: Family) {
        if let Survey::Resting { left } = self.memory.survey[family] {
            self.memory.survey[family] = Survey::Underway { left, fruitless: 0 };
            self.survey(now, family);
        }
    }

    /// The next question, if one is left and somebody can be asked.
    pub(super) fn survey(&mut self, now: Instant, family: Family) {
        let Survey::Underway { left, fruitless } = self.memory.survey[family] else {
            return;
        };
        let idle = fruitless >= FRUITLESS && self.memory.pools[family].len() < FEW;
        let asked = left > 0 && !idle && self.ask_around(now, family);
        self.memory.survey[family] = match asked {
            true => Survey::Underway {
                left: left - 1,
                fruitless,
            },
            false => Survey::Resting { left },
        };
    }

    /// Asks whoever is known nearest to a place where few are known. `false`: there is no such place, or
    /// nobody to ask.
    fn ask_around(&mut self, now: Instant, family: Family) -> bool {
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
        let news = self.hear_of(now, &named);
        if let Survey::Underway { fruitless, .. } = &mut self.memory.survey[question.to.family()] {
            *fruitless = if news == 0 {
                fruitless.saturating_add(1)
            } else {
                0
            };
        }
        self.survey_goes_on(now, question);
    }

    /// A question ended; unless it was slow, when the next one took its place.
    pub(super) fn survey_goes_on(&mut self, now: Instant, question: &Pending<Purpose>) {
        if question.is_fresh() {
            self.survey(now, question.to.family());
        }
    }

    /// Remembers nodes that an answer named; how many of them are new to the pool.
    pub(super) fn hear_of(&mut self, now: Instant, named: &[Contact]) -> usize {
        let mut news = 0;
        for contact in named {
            let address = self.address(contact.endpoint);
            let pool = &mut self.memory.pools[contact.endpoint.family()];
            news += usize::from(pool.named(now, *contact, address));
        }
        news
    }
}

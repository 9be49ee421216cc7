//! Who refers to contents, while an operation takes some of them away.

use super::rows::ContentId;
use super::{ContentUse, Effect, Loads, MetaError};
use std::collections::HashMap;

/// Who refers to the contents that an operation is about, counted down as it goes on. Whoever
/// takes the last one away makes the content an orphan; nobody looks for it later.
#[derive(Debug)]
pub struct Uses(HashMap<ContentId, ContentUse>);

impl Uses {
    /// Who refers to these contents now.
    ///
    /// # Errors
    /// The engine's.
    pub fn load<'c>(
        loads: &mut dyn Loads,
        contents: impl Iterator<Item = &'c ContentId>,
    ) -> Result<Self, MetaError> {
        let mut uses = HashMap::new();
        for content in contents {
            uses.insert(content.clone(), loads.content_use(content)?);
        }
        Ok(Self(uses))
    }

    /// A session of the content goes; if nobody is left, the content is an orphan.
    pub fn less_session(&mut self, content: &ContentId) -> Option<Effect> {
        self.less(content, |left| left.sessions -= 1)
    }

    /// A revision with the content goes; if nobody is left, the content is an orphan.
    pub fn less_revision(&mut self, content: &ContentId) -> Option<Effect> {
        self.less(content, |left| left.revisions -= 1)
    }

    fn less(&mut self, content: &ContentId, one: impl FnOnce(&mut ContentUse)) -> Option<Effect> {
        let left = self.0.get_mut(content)?;
        one(left);
        let nobody = left.sessions == 0 && left.revisions == 0;
        nobody.then(|| Effect::AddOrphan(content.clone()))
    }
}

//! The parties of an event: its actors and its targets, as borrowed texts.

use attestary_event::View;

use crate::texts::Pointer;

/// An actor or a target. All parts are optional, and an empty text counts as absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Party<'a> {
    pub(crate) kind: Option<&'a str>,
    pub(crate) id: Option<&'a str>,
    pub(crate) name: Option<&'a str>,
    pub(crate) email: Option<&'a str>,
}

impl<'a> Party<'a> {
    /// Returns the party at `pointer`, such as `/actor`.
    pub(crate) fn at(view: &View<'a>, pointer: &str) -> Self {
        let mut path = String::with_capacity(pointer.len() + 8);
        path.push_str(pointer);
        path.push('/');
        let mut part = |name: &str| {
            path.truncate(pointer.len() + 1);
            path.push_str(name);
            view.text(&path).filter(|text| !text.is_empty())
        };
        Self { kind: part("type"), id: part("id"), name: part("name"), email: part("email") }
    }

    /// True when something says who or what it is.
    pub(crate) fn is_named(&self) -> bool {
        self.label().is_some()
    }

    /// Returns the name for people: the name, else the e-mail address.
    pub(crate) fn display(&self) -> Option<&'a str> {
        self.name.or(self.email)
    }

    /// Returns what it is called: the name, else the e-mail address, else the id.
    pub(crate) fn label(&self) -> Option<&'a str> {
        self.display().or(self.id)
    }

    /// True for targets that are users.
    pub(crate) fn is_user(&self) -> bool {
        self.kind == Some("user")
    }
}

/// Returns the targets in order, without those that nothing is known of.
pub(crate) fn targets<'a>(view: &View<'a>) -> impl Iterator<Item = Party<'a>> {
    let view = *view;
    let mut path = Pointer::new("/targets");
    (0_usize..)
        .map(move |index| {
            let path = path.at(index, "");
            let any = view.fields.under(path).next().is_some();
            any.then(|| Party::at(&view, path))
        })
        .map_while(|party| party)
        .filter(Party::is_named)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::tests::{event, with_view};

    #[test]
    fn parties_have_what_the_event_says() {
        let event = event(
            r#""actor":{"id":"","email":"a@b.c"},"targets":[{"type":"user","id":"1"},{"type":"x"},{},{"name":"n"}]"#,
        );
        with_view(&event, |view| {
            let actor = Party::at(view, "/actor");
            assert_eq!((actor.id, actor.label()), (None, Some("a@b.c")));
            let labels: Vec<_> = targets(view).map(|target| target.label()).collect();
            assert_eq!(labels, [Some("1"), Some("n")]);
            assert!(!Party::at(view, "/impersonator").is_named());
        });
    }
}

//! The member table as a tree, for walking a submission along it without looking pointers up.

use std::sync::LazyLock;

use super::{MEMBERS, Member, Need};

/// The members whose values intake needs after the walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Capture {
    Id,
    Tenant,
    Action,
    OccurredAt,
    Category,
    Severity,
    Outcome,
    Actor,
    ActorType,
    ActorId,
}

impl Capture {
    /// How many there are.
    pub(crate) const COUNT: usize = 10;

    /// Each with its pointer.
    pub(crate) const ALL: [(&'static str, Self); Self::COUNT] = [
        ("/id", Self::Id),
        ("/tenant", Self::Tenant),
        ("/action", Self::Action),
        ("/occurred_at", Self::OccurredAt),
        ("/category", Self::Category),
        ("/severity", Self::Severity),
        ("/outcome", Self::Outcome),
        ("/actor", Self::Actor),
        ("/actor/type", Self::ActorType),
        ("/actor/id", Self::ActorId),
    ];
}

/// One member with its children.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) member: &'static Member,
    /// The last step of the member's pointer.
    pub(crate) name: &'static str,
    /// Named members below an object.
    pub(crate) children: Vec<Self>,
    /// The element of an array.
    pub(crate) element: Option<Box<Self>>,
    /// Bit *i* set: `children[i]` must be given.
    pub(crate) required: u64,
    pub(crate) capture: Option<Capture>,
}

impl Node {
    fn new(member: &'static Member) -> Self {
        let below = |candidate: &&Member| {
            let rest = candidate
                .pointer
                .strip_prefix(member.pointer)
                .and_then(|rest| rest.strip_prefix('/'));
            rest.is_some_and(|rest| !rest.contains('/'))
        };
        let (elements, children): (Vec<_>, Vec<_>) =
            MEMBERS.iter().filter(below).map(Self::new).partition(|node| node.name == "*");
        assert!(children.len() <= 64, "the required members of one object fit into 64 bits");
        let required = children
            .iter()
            .enumerate()
            .filter(|(_, child)| child.member.need == Need::Required)
            .fold(0, |mask, (index, _)| mask | 1 << index);
        let capture = Capture::ALL
            .iter()
            .find(|(pointer, _)| *pointer == member.pointer)
            .map(|(_, capture)| *capture);
        Self {
            member,
            name: member.name(),
            children,
            element: elements.into_iter().next().map(Box::new),
            required,
            capture,
        }
    }

    /// Returns the index of the child called `name`.
    pub(crate) fn child(&self, name: &str) -> Option<usize> {
        // The first byte rules most siblings out before a comparison is called.
        let first = name.as_bytes().first()?;
        self.children
            .iter()
            .position(|child| child.name.as_bytes()[0] == *first && child.name == name)
    }
}

/// Returns the root of the tree.
pub(crate) fn root() -> &'static Node {
    static ROOT: LazyLock<Node> = LazyLock::new(|| Node::new(&MEMBERS[0]));
    &ROOT
}

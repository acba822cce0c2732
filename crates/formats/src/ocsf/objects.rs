//! The objects of the schema: users, things, endpoints, requests. Each keeps to the schema's own constraints.

use attestary_event::View;

use super::{Class, Schema};
use crate::{intake::object::ObjectWriter, party::Party, texts};

/// Fills a `user`; one without a name is called by its e-mail address.
pub(super) fn put_user(user: &mut ObjectWriter<'_>, party: Party<'_>) {
    user.optional("uid", party.id)
        .optional("name", party.display())
        .optional("email_addr", party.email.filter(|email| is_email(email)))
        .optional("type", party.kind);
}

/// Writes the actor's groups as objects.
pub(super) fn put_groups(user: &mut ObjectWriter<'_>, view: &View<'_>) {
    let groups = (0..).map_while(|index| view.text(&format!("/actor/groups/{index}")));
    user.objects("groups", groups, |group, name| _ = group.text("name", name));
}

/// Fills what has uid, name and type: an entity, a web resource, a group.
pub(super) fn put_thing(thing: &mut ObjectWriter<'_>, party: Party<'_>) {
    thing.optional("uid", party.id).optional("name", party.display()).optional("type", party.kind);
}

/// Writes `actor` when something is known of him: an actor needs a user or a session.
pub(super) fn put_actor(object: &mut ObjectWriter<'_>, view: &View<'_>) {
    let party = Party::at(view, "/actor");
    object.object("actor", |actor| {
        if party.is_named() {
            actor.object("user", |user| {
                put_user(user, party);
                put_groups(user, view);
            });
        }
        actor.object("session", |session| {
            session.optional("uid", view.text("/context/session_id"));
        });
    });
}

/// True when a `user` holds all of the actor but its metadata.
pub(super) fn maps_actor(view: &View<'_>) -> bool {
    let actor = Party::at(view, "/actor");
    actor.is_named() && actor.email.is_none_or(|email| is_email(email) || actor.name.is_none())
}

/// Writes `src_endpoint`; where the class requires one and there is no address, the product stands in.
pub(super) fn put_source(
    object: &mut ObjectWriter<'_>,
    view: &View<'_>,
    product: &str,
    class: Class,
) {
    let address = texts::address(view);
    object.object("src_endpoint", |endpoint| match address {
        Some(address) => _ = endpoint.display("ip", address),
        None if class.uid == Class::FILE_HOSTING => _ = endpoint.text("svc_name", product),
        None => {}
    });
}

/// Writes `http_request`, and `http_response` where the class has it.
pub(super) fn put_request(object: &mut ObjectWriter<'_>, view: &View<'_>, schema: Schema) {
    object.object("http_request", |request| {
        let method = view.text("/context/http/method").filter(|method| is_method(method, schema));
        let agent = view.text("/context/user_agent");
        request.optional("http_method", method).optional("user_agent", agent);
        let url = view.text("/context/http/url").filter(|url| !url.is_empty());
        request.object("url", |object| _ = object.optional("url_string", url));
        request.optional("uid", view.text("/context/request_id"));
    });
}

/// True when the request is all in `http_request`: no status, no duration, a method of the schema.
pub(super) fn maps_request(view: &View<'_>, schema: Schema) -> bool {
    view.text("/context/http/status").is_none()
        && view.text("/context/http/duration_ms").is_none()
        && view.text("/context/http/method").is_none_or(|method| is_method(method, schema))
}

fn is_method(method: &str, schema: Schema) -> bool {
    const METHODS: [&str; 8] =
        ["OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "CONNECT"];
    METHODS.contains(&method) || (method == "PATCH" && schema >= Schema::V1_8)
}

/// True for what the type `email_t` takes in both versions: plain letters, digits and `_.+-` before the `@`.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let plain = |text: &str, more: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    let Some((host, rest)) = domain.split_once('.') else { return false };
    plain(local, "_.+-") && plain(host, "-") && plain(rest, "-.")
}

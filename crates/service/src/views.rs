//! Saved views: questions to one tenant's log that are asked again and again.
//!
//! Some are shipped and are every tenant's; others are saved by administrators. Running one is a search and a count
//! with their own records in the audit log; the answer can be had from `/v1/events` and its facets just as well.

use attestary_store::catalog::ViewRow;

use crate::{
    AccessError, Caller, ChangeError, FacetField, Facets, Found, ReadError, Scope, Search,
    Selection, Service,
    audit::{Act, action},
    count_limits,
    error::cause,
    ids::mint,
    keys::change_error,
    search::parse_filter,
};

/// Views saved for one tenant at most.
const VIEWS_MAX: usize = 100;
/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 128;
/// What stands for the parameter in a shipped filter.
const TARGET: &str = "$target";

/// A saved view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedView {
    /// A shipped view's own name, else `view_` and a ULID.
    pub id: String,
    /// The question in words.
    pub name: String,
    /// Text in the filter language. `$target` stands for the object that the question is about.
    pub filter: String,
    /// Paths to count by.
    pub group_by: Vec<String>,
    /// Least count that is shown.
    pub min_count: u64,
    /// It comes with the program and cannot be removed.
    pub shipped: bool,
}

/// What a view is saved with.
#[derive(Debug, Clone, Default)]
pub struct NewView {
    /// The question in words.
    pub name: String,
    /// Text in the filter language.
    pub filter: String,
    /// Paths to count by.
    pub group_by: Vec<String>,
    /// Least count that is shown.
    pub min_count: u64,
}

/// What of a saved view can be changed; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct ViewChange {
    /// The question in words.
    pub name: Option<String>,
    /// Text in the filter language.
    pub filter: Option<String>,
    /// Paths to count by.
    pub group_by: Option<Vec<String>>,
    /// Least count that is shown.
    pub min_count: Option<u64>,
}

/// The answer of a view.
#[derive(Debug)]
pub struct ViewAnswer {
    /// The view.
    pub view: SavedView,
    /// The filter that was asked, with what stood for `$target`.
    pub filter: String,
    /// Counts by each path; `None` when it counts by none.
    pub facets: Option<Facets>,
    /// The newest events.
    pub events: Found,
}

/// The shipped views.
fn shipped() -> [SavedView; 7] {
    let view = |id: &str, name: &str, filter: &str, group_by: &[&str], min_count| SavedView {
        id: id.to_owned(),
        name: name.to_owned(),
        filter: filter.to_owned(),
        group_by: group_by.iter().map(ToString::to_string).collect(),
        min_count,
        shipped: true,
    };
    [
        view(
            "failed-logins",
            "Ten or more failed logins within the last hour",
            "category:authentication (outcome:failure OR outcome:denied) occurred_at>=now-1h",
            &["actor.id", "context.attempted_identity", "context.ip"],
            10,
        ),
        view(
            "personal-data",
            "Who accessed personal data within the last week",
            "(labels:PII OR labels:pii OR labels:personal-data OR labels:personal_data) \
             occurred_at>=now-7d -action:attestary.*",
            &["actor.id", "actor.name", "action"],
            1,
        ),
        view(
            "object-access",
            "Who did what to this object",
            "targets.id:$target -action:attestary.*",
            &["actor.id", "actor.name", "action"],
            1,
        ),
        view(
            "privilege-changes",
            "Who changed rights within the last month",
            "(action:role.* OR action:permission.* OR action:admin.* OR action:*.permissions.changed) \
             occurred_at>=now-30d",
            &["actor.id", "action", "target.id"],
            1,
        ),
        view(
            "exports",
            "Who exported or read in bulk within the last month",
            "(action:*.exported OR action:export.* OR action:document.downloaded OR action:document.printed OR \
             action:data.searched) occurred_at>=now-30d",
            &["actor.id", "action", "target.id"],
            1,
        ),
        view(
            "key-lifecycle",
            "API keys made, used anew and revoked within the last quarter",
            "action:api_key.* occurred_at>=now-90d",
            &["action", "actor.id", "target.id"],
            1,
        ),
        view(
            "impersonation",
            "When somebody acted as somebody else within the last quarter",
            "(action:impersonation.* OR exists(impersonator.id)) occurred_at>=now-90d",
            &["impersonator.id", "actor.id", "action"],
            1,
        ),
    ]
}

impl Service {
    /// Lists the views of a tenant: the shipped ones, then those that were saved, oldest first.
    pub async fn list_views(
        &self,
        caller: &Caller,
        tenant: &str,
    ) -> Result<Vec<SavedView>, ReadError> {
        let views = self.views_of(caller, tenant, "view.list").await?;
        self.recorded_list(caller, "view.list", views.len()).await?;
        Ok(views)
    }

    /// Saves a view.
    pub async fn create_view(
        &self,
        caller: &Caller,
        tenant: &str,
        new: NewView,
    ) -> Result<SavedView, ChangeError> {
        self.permit(caller, Scope::Admin, "view.create")?;
        let tenant = self.visible(caller, tenant)?;
        let environment = caller.environment()?.clone();
        check(&new)?;
        let row = ViewRow {
            id: mint("view_", self.clock().now_ms(), self.rng()),
            environment: environment.clone(),
            tenant: tenant.clone(),
            name: new.name,
            filter: new.filter,
            group_by: new.group_by.join(","),
            min_count: new.min_count.max(1),
            created_ms: self.clock().now_ms(),
            created_by: caller.principal.id().to_owned(),
        };
        let of = tenant.clone();
        let existing = self.catalog(move |catalog| catalog.views(&environment, &of)).await;
        if existing.map_err(change_error)?.len() >= VIEWS_MAX {
            let reason = format!("a tenant has at most {VIEWS_MAX} saved views; delete one first");
            return Err(ChangeError::Conflict { reason });
        }
        let act = Act::new(action::POLICY, "view.create")
            .on("tenant", tenant.as_str())
            .on("view", &row.id)
            .with("filter", row.filter.as_str());
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        let view = saved(&row);
        self.catalog(move |catalog| catalog.create_view(&row)).await.map_err(change_error)?;
        Ok(view)
    }

    /// Changes a view that was saved.
    pub async fn change_view(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
        change: ViewChange,
    ) -> Result<SavedView, ChangeError> {
        self.permit(caller, Scope::Admin, "view.change")?;
        let before = self.own_view(caller, tenant, id).await?;
        let known = saved(&before);
        let new = NewView {
            name: change.name.unwrap_or(known.name),
            filter: change.filter.unwrap_or(known.filter),
            group_by: change.group_by.unwrap_or(known.group_by),
            min_count: change.min_count.unwrap_or(known.min_count),
        };
        check(&new)?;
        let row = ViewRow {
            name: new.name,
            filter: new.filter,
            group_by: new.group_by.join(","),
            min_count: new.min_count.max(1),
            ..before.clone()
        };
        let view = saved(&row);
        if row == before {
            return Ok(view);
        }
        let act = Act::new(action::POLICY, "view.change")
            .on("tenant", row.tenant.as_str())
            .on("view", id)
            .changed("filter", before.filter.as_str(), row.filter.as_str());
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        self.catalog(move |catalog| catalog.change_view(&row)).await.map_err(change_error)?;
        Ok(view)
    }

    /// Removes a view that was saved.
    pub async fn delete_view(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
    ) -> Result<(), ChangeError> {
        self.permit(caller, Scope::Admin, "view.delete")?;
        let row = self.own_view(caller, tenant, id).await?;
        let act = Act::new(action::POLICY, "view.delete")
            .on("tenant", row.tenant.as_str())
            .on("view", id);
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        self.catalog(move |catalog| catalog.delete_view(&row.environment, &row.tenant, &row.id))
            .await
            .map_err(change_error)
    }

    /// A view that was saved for this tenant; the shipped ones are nobody's to change.
    async fn own_view(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
    ) -> Result<ViewRow, ChangeError> {
        let tenant = self.visible(caller, tenant)?;
        if shipped().iter().any(|view| view.id == id) {
            let reason = "this view comes with the program; save one of your own".into();
            return Err(ChangeError::Conflict { reason });
        }
        let environment = caller.environment()?.clone();
        let rows = self.catalog(move |catalog| catalog.views(&environment, &tenant)).await;
        let row = rows.map_err(change_error)?.into_iter().find(|row| row.id == id);
        row.ok_or_else(|| AccessError::NotFound.into())
    }

    /// Answers a view. `target` is the object that it is about, `limit` the number of events shown.
    pub async fn run_view(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
        target: Option<&str>,
        limit: usize,
    ) -> Result<ViewAnswer, ReadError> {
        let views = self.views_of(caller, tenant, "view.run").await?;
        let view = views.into_iter().find(|view| view.id == id).ok_or(AccessError::NotFound)?;
        let filter = filled(&view.filter, target)?;
        let fields: Result<Vec<_>, _> =
            view.group_by.iter().map(|path| FacetField::parse(path)).collect();
        let fields = fields.map_err(|detail| invalid("/group_by", detail))?;
        let selection = Selection {
            tenant: Some(tenant.to_owned()),
            filter: filter.clone(),
            from: None,
            to: None,
        };
        let facets = if fields.is_empty() {
            None
        } else {
            let limit = count_limits::VALUES_MAX;
            Some(self.facets(caller, selection, fields, limit).await?)
        };
        let search = Search {
            tenant: Some(tenant.to_owned()),
            filter: filter.clone(),
            limit,
            ..Search::default()
        };
        let events = self.search(caller, search).await?;
        Ok(ViewAnswer { view, filter, facets, events })
    }

    async fn views_of(
        &self,
        caller: &Caller,
        tenant: &str,
        operation: &'static str,
    ) -> Result<Vec<SavedView>, ReadError> {
        self.permit(caller, Scope::Read, operation)?;
        let tenant = self.visible(caller, tenant)?;
        let environment = caller.environment()?.clone();
        let rows = self.catalog(move |catalog| catalog.views(&environment, &tenant)).await;
        let rows = rows.map_err(|error| ReadError::Unavailable(cause(error)))?;
        Ok(shipped().into_iter().chain(rows.iter().map(saved)).collect())
    }
}

fn saved(row: &ViewRow) -> SavedView {
    let group_by = row.group_by.split(',').filter(|path| !path.is_empty());
    SavedView {
        id: row.id.clone(),
        name: row.name.clone(),
        filter: row.filter.clone(),
        group_by: group_by.map(str::to_owned).collect(),
        min_count: row.min_count,
        shipped: false,
    }
}

/// Puts the object in, as a quoted value in which nothing is a wild card.
fn filled(filter: &str, target: Option<&str>) -> Result<String, ReadError> {
    if !filter.contains(TARGET) {
        return match target {
            None => Ok(filter.to_owned()),
            Some(_) => Err(invalid("/target", "is not asked for by this view".into())),
        };
    }
    let target = target.ok_or_else(|| {
        invalid("/target", "is required: the id of the object that the view is about".into())
    })?;
    let text = target.replace('\\', "\\\\").replace('"', "\\\"").replace('*', "\\*");
    Ok(filter.replace(TARGET, &format!("\"{text}\"")))
}

fn invalid(pointer: &str, detail: String) -> ReadError {
    ReadError::Invalid(vec![attestary_event::Violation::new(pointer, detail)])
}

fn check(new: &NewView) -> Result<(), ChangeError> {
    if !(1..=NAME_BYTES_MAX).contains(&new.name.len()) || new.name.contains(char::is_control) {
        let detail = format!("has 1 to {NAME_BYTES_MAX} bytes and no control characters");
        return Err(ChangeError::invalid("/name", detail));
    }
    parse_filter(&new.filter.replace(TARGET, "x")).map_err(ChangeError::Filter)?;
    if new.group_by.len() > count_limits::FIELDS_MAX {
        let detail = format!("has at most {} paths", count_limits::FIELDS_MAX);
        return Err(ChangeError::invalid("/group_by", detail));
    }
    for (index, path) in new.group_by.iter().enumerate() {
        // Paths are kept between commas.
        let parsed = if path.contains(',') {
            Err("holds a comma".into())
        } else {
            FacetField::parse(path).map(drop)
        };
        parsed.map_err(|detail| ChangeError::invalid(&format!("/group_by/{index}"), detail))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_views_are_valid_and_their_object_is_only_text() {
        for view in shipped() {
            parse_filter(
                &filled(&view.filter, view.filter.contains(TARGET).then_some("x")).unwrap(),
            )
            .unwrap();
            assert!(view.group_by.iter().all(|path| FacetField::parse(path).is_ok()));
        }
        let filter = filled("targets.id:$target", Some(r#"a" OR b:* \"#)).unwrap();
        assert_eq!(filter, r#"targets.id:"a\" OR b:\* \\""#);
        parse_filter(&filter).unwrap();
        assert!(filled("targets.id:$target", None).is_err() && filled("a:b", Some("x")).is_err());
    }
}

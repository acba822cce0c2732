//! Problems on foreign paths that no handler of them put into words: unknown paths and methods, a page of a wrong origin, a
//! failure of our own. Here they get the shape that the clients of the path read; native paths have problems.

use axum::response::Response;
use http::header;

use super::{easysend, ironcore, otlp, retraced, workos};
use crate::problem::{NOT_FOUND, Problem};

/// Whose clients read a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Ironcore,
    Workos,
    Retraced,
    /// Retraced's, where clients expect an answer to a query.
    Query,
    Easysend,
    Otlp,
    Grpc,
}

const NO_PATH: &str = "there is no such path";

/// What foreign paths begin with.
const BEGINNINGS: [(&str, Shape); 15] = [
    ("/api/1", Shape::Ironcore),
    ("/tsp", Shape::Ironcore),
    ("/audit_logs", Shape::Workos),
    ("/organizations", Shape::Workos),
    ("/portal", Shape::Workos),
    ("/workos", Shape::Workos),
    ("/auditlog", Shape::Retraced),
    ("/publisher", Shape::Retraced),
    ("/viewer", Shape::Retraced),
    ("/v1/project", Shape::Retraced),
    ("/player", Shape::Easysend),
    // Exporters of the other signals are told so in their own words.
    ("/v1/logs", Shape::Otlp),
    ("/v1/metrics", Shape::Otlp),
    ("/v1/traces", Shape::Otlp),
    ("/opentelemetry.proto.collector.logs.v1.LogsService", Shape::Grpc),
];

/// Returns the reply to a problem in the shape of the path's clients; nothing for native paths.
pub(crate) fn rendered(problem: &Problem, path: &str) -> Option<Response> {
    let shape = shape(path)?;
    // Handlers word what they do not find; what is left are paths.
    let unknown = problem.kind == &NOT_FOUND;
    let problem = &if unknown { Problem::new(&NOT_FOUND, NO_PATH) } else { problem.clone() };
    let mut response = match shape {
        Shape::Workos if unknown => workos::no_path(NO_PATH),
        Shape::Ironcore => ironcore::from_problem(problem),
        Shape::Workos => workos::from_problem(problem),
        Shape::Retraced => retraced::from_problem(problem),
        Shape::Query => retraced::query_refused(problem),
        Shape::Easysend => easysend::from_problem(problem),
        Shape::Otlp => otlp::from_problem(problem),
        Shape::Grpc => otlp::grpc::from_problem(problem),
    };
    if let Some(methods) = &problem.allow {
        response.headers_mut().insert(header::ALLOW, methods.clone());
    }
    Some(response)
}

fn shape(path: &str) -> Option<Shape> {
    let below = |beginning: &str| {
        path.strip_prefix(beginning).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let (_, shape) = BEGINNINGS.into_iter().find(|(beginning, _)| below(beginning))?;
    let asks = shape == Shape::Retraced && path.ends_with("/graphql");
    Some(if asks { Shape::Query } else { shape })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_belong_to_their_clients() {
        for (path, expected) in [
            ("/api/1/document/zzz", Some(Shape::Ironcore)),
            ("/tsp/api/1/x", Some(Shape::Ironcore)),
            ("/audit_logs", Some(Shape::Workos)),
            ("/portal/generate_link", Some(Shape::Workos)),
            ("/auditlog/publisher/v1/project/p/event", Some(Shape::Retraced)),
            ("/auditlog/viewer/v1/graphql", Some(Shape::Query)),
            ("/v1/project/p/event", Some(Shape::Retraced)),
            ("/player/api/x", Some(Shape::Easysend)),
            ("/v1/logs", Some(Shape::Otlp)),
            ("/portals", None),
            ("/v1/events", None),
            ("/v1/projects", None),
            ("/ingest/easysend", None),
            ("/console/portal/x", None),
            ("/", None),
        ] {
            assert_eq!(shape(path), expected, "{path}");
        }
    }
}

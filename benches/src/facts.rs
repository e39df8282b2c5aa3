//! The performance goals, and the measurements that are compared with them.

use std::collections::BTreeMap;

use bench_harness::Table;

/// Measurements by name.
#[derive(Debug, Default)]
pub(crate) struct Facts(BTreeMap<&'static str, f64>);

enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

struct Goal {
    says: &'static str,
    unit: &'static str,
    parts: &'static [(&'static str, Bound)],
}

use Bound::{AtLeast, AtMost};

const GOALS: [Goal; 10] = [
    Goal {
        says: "an uncached token / RSA verification alone: time; allocations",
        unit: "",
        parts: &[
            ("uncached.ratio", AtMost(1.10)),
            ("uncached.allocations", AtMost(2.0)),
        ],
    },
    Goal {
        says: "a token found in the cache, ns: hot; one of 10 000",
        unit: "",
        parts: &[("hit.hot", AtMost(80.0)), ("hit.many", AtMost(700.0))],
    },
    Goal {
        says: "added to a request at a hit, us: axum; actix",
        unit: "",
        parts: &[("axum.added", AtMost(0.4)), ("actix.added", AtMost(0.4))],
    },
    Goal {
        says: "HTTP throughput at hits / bare handler: axum; actix",
        unit: "x",
        parts: &[("http.axum", AtLeast(0.92)), ("http.actix", AtLeast(0.92))],
    },
    Goal {
        says: "HTTP throughput with check_database on SQLite / bare handler: axum; actix",
        unit: "x",
        parts: &[
            ("http.axum.database", AtLeast(0.75)),
            ("http.actix.database", AtLeast(0.75)),
        ],
    },
    Goal {
        says: "SQLite FULL, 64 tasks, updates / pool of sqlx",
        unit: "x",
        parts: &[("sqlite.full", AtLeast(5.0))],
    },
    Goal {
        says: "SQLite NORMAL, 16 tasks, 99th percentile of updates, ms",
        unit: "",
        parts: &[("sqlite.normal.p99", AtMost(2.0))],
    },
    Goal {
        says: "PostgreSQL, 64 tasks, updates / pgbench",
        unit: "x",
        parts: &[("postgres.pgbench", AtLeast(1.5))],
    },
    Goal {
        says: "processor time / RSA signature alone: create; refresh",
        unit: "x",
        parts: &[
            ("issue.create", AtMost(1.15)),
            ("issue.refresh", AtMost(1.15)),
        ],
    },
    Goal {
        says: "memory, kB: cached token of 1.2 kB; session in memory with 386 B of data",
        unit: "",
        parts: &[
            ("memory.token", AtMost(2.0)),
            ("memory.session", AtMost(1.2)),
        ],
    },
];

impl Facts {
    /// Records a measurement.
    pub(crate) fn note(&mut self, name: &'static str, value: f64) {
        self.0.insert(name, value);
    }

    /// Returns the goals for which this run has measurements.
    pub(crate) fn goals(&self) -> Table {
        let mut table = Table::new("Goals", &["what", "goal", "measured", "reached"]);
        for goal in &GOALS {
            let measured: Vec<_> = goal
                .parts
                .iter()
                .map(|(name, bound)| (self.0.get(name), bound))
                .collect();
            if measured.iter().all(|(value, _)| value.is_none()) {
                continue;
            }
            let write = |value: f64| match value.abs() {
                ..10.0 => format!("{value:.2}{}", goal.unit),
                _ => format!("{value:.0}{}", goal.unit),
            };
            let bounds = goal.parts.iter().map(|(_, bound)| match bound {
                AtMost(bound) => format!("<= {}", write(*bound)),
                AtLeast(bound) => format!(">= {}", write(*bound)),
            });
            let values = measured
                .iter()
                .map(|(value, _)| value.map_or("not measured".to_owned(), |value| write(*value)));
            let verdicts = measured.iter().map(|(value, bound)| match (value, bound) {
                (None, _) => "not measured",
                (Some(value), AtMost(bound)) if *value <= bound => "yes",
                (Some(value), AtLeast(bound)) if *value >= bound => "yes",
                _ => "**no**",
            });
            table.row([
                goal.says.to_owned(),
                bounds.collect::<Vec<_>>().join("; "),
                values.collect::<Vec<_>>().join("; "),
                verdicts.collect::<Vec<_>>().join("; "),
            ]);
        }
        table
    }
}

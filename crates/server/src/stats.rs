//! Request counts for each minute of the last day, returned by `/requests/stats`.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use supersession::UnixMillis;

/// Number of minutes that are kept.
const MINUTES: usize = 24 * 60;
const SECONDS: usize = 60;

/// The request counts of one app in this process.
#[derive(Default)]
pub(crate) struct RequestStats(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    /// The current minute, counted from the Unix epoch.
    minute: u64,
    seconds: Option<[u32; SECONDS]>,
    /// Sum and peak of the previous minutes, newest last.
    past: VecDeque<(u32, u32)>,
}

impl RequestStats {
    /// Counts a request.
    pub(crate) fn count(&self, now: UnixMillis) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let second = now.get() / 1_000;
        counts.move_to(second / 60);
        let at = usize::try_from(second % 60).unwrap_or_default();
        let seconds = counts.seconds.get_or_insert([0; SECONDS]);
        if let Some(count) = seconds.get_mut(at) {
            *count = count.saturating_add(1);
        }
    }

    /// Returns the response: the average and the peak of requests per second for each minute of the
    /// last day, oldest first. Minutes without data are -1.
    pub(crate) fn answer(&self, now: UnixMillis) -> Value {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = now.get() / 60_000;
        counts.move_to(minute);
        let unknown = MINUTES - counts.past.len();
        let mut average = vec![json!(-1); unknown];
        let mut peak = average.clone();
        for (sum, most) in &counts.past {
            average.push(json!(f64::from(*sum) / 60.0));
            peak.push(json!(most));
        }
        json!({
            "status": "OK",
            "atMinute": minute,
            "averageRequestsPerSecond": average,
            "peakRequestsPerSecond": peak,
        })
    }
}

impl Counts {
    /// Closes all minutes before this one.
    fn move_to(&mut self, minute: u64) {
        let Some(seconds) = self.seconds else {
            self.minute = minute;
            self.seconds = Some([0; SECONDS]);
            return;
        };
        // If the clock has gone back, requests are counted in the current minute.
        let passed = minute.saturating_sub(self.minute);
        if passed == 0 {
            return;
        }
        let sum = seconds
            .iter()
            .fold(0_u32, |sum, count| sum.saturating_add(*count));
        let peak = seconds.iter().copied().max().unwrap_or_default();
        self.past.push_back((sum, peak));
        let empty = usize::try_from(passed - 1).unwrap_or(MINUTES).min(MINUTES);
        self.past.extend(std::iter::repeat_n((0, 0), empty));
        while self.past.len() > MINUTES {
            self.past.pop_front();
        }
        self.minute = minute;
        self.seconds = Some([0; SECONDS]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_kept_for_a_day() {
        let stats = RequestStats::default();
        let at = |minute: u64, second: u64| UnixMillis::new((minute * 60 + second) * 1_000);
        for second in [1, 1, 2] {
            stats.count(at(1_000, second));
        }
        let answer = stats.answer(at(1_002, 0));
        let series = |answer: &Value, name: &str| -> Vec<f64> {
            let values = answer[name].as_array().cloned().unwrap_or_default();
            values.iter().filter_map(Value::as_f64).collect()
        };
        let average = series(&answer, "averageRequestsPerSecond");
        let peak = series(&answer, "peakRequestsPerSecond");
        assert_eq!((average.len(), peak.len()), (MINUTES, MINUTES));
        assert_eq!(answer["atMinute"], 1_002);
        assert_eq!(average[MINUTES - 3..], [-1.0, 0.05, 0.0]);
        assert_eq!(peak[MINUTES - 3..], [-1.0, 2.0, 0.0]);
        let later = stats.answer(at(1_002 + 3 * 1_440, 0));
        assert!(
            series(&later, "peakRequestsPerSecond")
                .iter()
                .all(|peak| *peak == 0.0)
        );
    }
}

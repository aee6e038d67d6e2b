//! `DescribeAlarmHistory`.

use serde::{Deserialize, Serialize};

use super::super::checks::Checks;
use super::super::error::ApiError;
use super::super::time::Timestamp;
use super::super::world::World;
use super::page;

/// Input of `DescribeAlarmHistory`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeAlarmHistory {
    /// One alarm's history only; it may be gone.
    pub alarm_name: Option<String>,
    /// `ConfigurationUpdate`, `StateUpdate` or `Action`.
    pub history_item_type: Option<String>,
    /// Not before.
    pub start_date: Option<Timestamp>,
    /// Not after.
    pub end_date: Option<Timestamp>,
    /// 1 to 100.
    pub max_records: Option<i64>,
    /// From the page before.
    pub next_token: Option<String>,
    /// `TimestampDescending` unless said otherwise.
    pub scan_by: Option<String>,
}

/// Output of `DescribeAlarmHistory`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeAlarmHistoryResponse {
    /// A page of items.
    pub alarm_history_items: Vec<AlarmHistoryItem>,
    /// Present when there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// An item of an alarm's history.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AlarmHistoryItem {
    /// The alarm.
    pub alarm_name: String,
    /// Always `MetricAlarm`.
    pub alarm_type: &'static str,
    /// When it happened.
    pub timestamp: Timestamp,
    /// What it tells of.
    pub history_item_type: &'static str,
    /// In a sentence.
    pub history_summary: String,
    /// As JSON.
    pub history_data: String,
}

pub(super) const SCAN_ORDERS: [&str; 2] = ["TimestampDescending", "TimestampAscending"];

impl World {
    /// Lists the history of alarms, newest first unless asked otherwise.
    ///
    /// # Errors
    /// `ValidationError`, `InvalidNextToken`.
    pub fn describe_alarm_history(
        &self,
        request: &DescribeAlarmHistory,
    ) -> Result<DescribeAlarmHistoryResponse, ApiError> {
        let kinds = [
            "ConfigurationUpdate",
            "StateUpdate",
            "Action",
            "AlarmContributorStateUpdate",
            "AlarmContributorAction",
        ];
        Checks::default()
            .one_of(
                "historyItemType",
                request.history_item_type.as_ref(),
                &kinds,
            )
            .one_of("scanBy", request.scan_by.as_ref(), &SCAN_ORDERS)
            .range("maxRecords", request.max_records, 1, 100)
            .finish_cloudwatch()?;
        let mut items: Vec<_> = self
            .alarms
            .history_newest_first()
            .filter(|i| {
                request
                    .alarm_name
                    .as_ref()
                    .is_none_or(|name| **name == *i.alarm)
            })
            .filter(|i| {
                request
                    .history_item_type
                    .as_ref()
                    .is_none_or(|k| k == i.kind())
            })
            .filter(|i| request.start_date.is_none_or(|t| i.at >= t.0))
            .filter(|i| request.end_date.is_none_or(|t| i.at <= t.0))
            .map(|i| AlarmHistoryItem {
                alarm_name: i.alarm.to_string(),
                alarm_type: "MetricAlarm",
                timestamp: Timestamp(i.at),
                history_item_type: i.kind(),
                history_summary: i.summary(),
                history_data: i.data(),
            })
            .collect();
        if request.scan_by.as_deref() == Some("TimestampAscending") {
            items.reverse();
        }
        let key = (
            "history",
            &request.alarm_name,
            &request.history_item_type,
            &request.scan_by,
        );
        let size = page::size(request.max_records, 100);
        let (alarm_history_items, next_token) =
            page::cut(items, &key, request.next_token.as_ref(), size)
                .ok_or_else(ApiError::cloudwatch_invalid_next_token)?;
        Ok(DescribeAlarmHistoryResponse {
            alarm_history_items,
            next_token,
        })
    }
}

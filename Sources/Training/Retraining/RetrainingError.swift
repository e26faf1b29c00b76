/// Why a retraining round cannot run.
public enum RetrainingError: Error, Equatable, CustomStringConvertible {
    /// The times of the log do not tell which events are newest.
    case noClock(file: String)
    /// Events that lie in the future would pass for the newest day.
    case futureEvents(file: String, count: Int, newest: String)
    /// No event is older than the newest day.
    case shortLog(file: String, hours: Double)
    /// The settings of the round cannot be used.
    case settings(file: String, reason: String)
    /// Another process runs a round for the same model.
    case locked(file: String)
    /// Somebody activated another version during the round.
    case activeChanged(from: Int?, to: Int?)

    /// The problem and the next step.
    public var description: String {
        switch self {
        case .noClock(let file):
            "The times of '\(file)' are ordinals, so they do not tell which events are newest. Give a log with the times of a "
                + "clock, such as seconds since 1970. If it has them, name their column with `columns.time`."
        case .futureEvents(let file, let count, let newest):
            "\(NumberText.counted(count, "event")) of '\(file)' \(count == 1 ? "lies" : "lie") more than a day in the future, the "
                + "newest at \(newest) UTC, so the newest day of the log is not known. Correct their times, or remove these rows. Nothing was trained."
        case .shortLog(let file, let hours):
            "All events of '\(file)' are of its last \(NumberText.short(hours)) hours, so nothing is left to train on. Lower "
                + "judge.hours, or wait for more events."
        case .settings(let file, let reason): "'\(file)': \(reason)"
        case .locked(let file):
            "Another retraining round of this model holds '\(file)'. Wait until it ends; nothing was changed."
        case .activeChanged(let from, let to):
            "The active version was \(from.map(String.init) ?? "none") when the round began, and now it is "
                + "\(to.map(String.init) ?? "none"). The new version is not published; run the round again."
        }
    }
}

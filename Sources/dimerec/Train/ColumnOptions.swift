import ArgumentParser
import Training

/// The columns of an events file whose names are not recognised.
struct ColumnOptions: ParsableArguments {
    @Option(help: "The column of users, when its name (user, user_id, session_id ...) is not recognised.")
    var userColumn: String?
    @Option(help: "The column of items, when its name (item, movieId, product_id ...) is not recognised.")
    var itemColumn: String?
    @Option(help: "The column of times, when its name (timestamp, event_time, date ...) is not recognised.")
    var timeColumn: String?

    /// The given names.
    var names: EventColumns { EventColumns(user: userColumn, item: itemColumn, time: timeColumn) }
}

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

    @Option(help: "The column of kinds of events, when its name (event, event_type, action ...) is not recognised.")
    var eventColumn: String?
    @Option(help: "The column of ratings, when its name (rating, overall, stars ...) is not recognised.")
    var ratingColumn: String?

    /// The given names.
    var names: EventColumns {
        EventColumns(user: userColumn, item: itemColumn, time: timeColumn, event: eventColumn, rating: ratingColumn)
    }
}

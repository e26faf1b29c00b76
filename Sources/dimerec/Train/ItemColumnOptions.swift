import ArgumentParser
import Training

/// The columns of an items file whose names are not recognised.
struct ItemColumnOptions: ParsableArguments {
    @Option(help: "The items file's column of titles, when its name (title, name, headline ...) is not recognised.")
    var titleColumn: String?
    @Option(help: "The items file's column of categories, when its name (genres, tags ...) is not recognised.")
    var categoryColumn: String?

    /// The names of a log's columns with the given ones of its items file.
    func added(to columns: EventColumns) -> EventColumns {
        var columns = columns
        (columns.title, columns.categories) = (titleColumn, categoryColumn)
        return columns
    }
}

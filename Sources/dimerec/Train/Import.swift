import ArgumentParser
import Foundation
import Training

/// Converts raw files of public data sets to the CSV files that the other commands read.
struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Convert a log or a public data set to a folder with events.csv (or train, validation and test).",
        subcommands: [
            Log.self, YooChoose.self, KuaiRec.self, MovieLens.self, AmazonReviews.self, Gowalla.self,
        ]
    )

    /// Options of all formats.
    struct Output: ParsableArguments {
        @Option(help: "Folder to create; an existing one must be empty.", completion: .directory) var out: String
        @Flag(help: "Print one JSON object at the end.") var json = false

        /// Runs an import and prints the counts.
        func print(_ format: String, _ run: (_ folder: String) throws -> ImportSummary) throws {
            let summary = try run(out)
            Terminal.write(notes: summary.notes)
            guard json else {
                for part in summary.parts {
                    Terminal.print(
                        "\(out)/\(part.name).csv  \(part.users) users  \(part.items) items  \(part.events) events"
                    )
                }
                Terminal.print("of \(summary.rows) rows read")
                return
            }
            let parts = summary.parts.map { part in
                (part.name, ["users": part.users, "items": part.items, "events": part.events])
            }
            let fields: [String: Any] = [
                "format": format, "folder": out, "rows": summary.rows, "users": summary.users, "items": summary.items,
                "events": summary.events, "parts": Dictionary(uniqueKeysWithValues: parts),
            ]
            Terminal.print(JSONObject(fields).line)
        }
    }

    struct Log: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "log",
            abstract: "Filter a log of your own, cut sessions, split it by time, and count the events of each item.",
            discussion: """
                The steps follow one another in the order of the options. deploy/spark/prepare does the same on Apache Spark, \
                for logs that do not fit the memory of a machine.
                """
        )

        @Argument(help: "Interactions: what --events of train takes; several are read as one log.", completion: .file())
        var events: [String]
        @OptionGroup var columns: ColumnOptions
        @Flag(help: "Drop rows without a user, an item or a time.") var dropEmpty = false
        @Option(help: "The lowest rating of an event; 0 keeps every event.") var minRating = 0.0
        @Flag(help: "Drop rows with the user, item and time of an earlier row.") var distinct = false
        @Option(help: "Cut each user's events into sessions at longer pauses, in the unit of the log's times.")
        var sessionGap: Double?
        @Option(help: "Keep users (or sessions) and items that have at least N events with each other; 0 keeps all.")
        var core = 0
        @Flag(help: "Write train.csv, validation.csv and test.csv, as --split time of train divides them.")
        var splitTime = false
        @OptionGroup var output: Output

        func validate() throws {
            try ValidationError.require("--session-gap", sessionGap, in: 0...)
            try ValidationError.require("--min-rating", minRating, in: 0...1_000_000)
        }

        func run() throws {
            var job = LogImport(events: try EventSource(events))
            job.columns = columns.names
            job.dropsEmpty = dropEmpty
            job.minimumRating = minRating
            job.dropsRepeats = distinct
            job.sessionGap = sessionGap
            job.core = core
            job.splitsByTime = splitTime
            try output.print("log", job.run)
        }
    }

    struct YooChoose: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "yoochoose",
            abstract:
                "Convert the clicks of the RecSys Challenge 2015, with the usual split for session-based recommendation."
        )

        @Argument(help: "yoochoose-clicks.dat; .gz too.", completion: .file()) var clicks: String
        @Option(help: "Keep the newest 1/N of the training rows: 64, 4, or 1 for all.") var fraction = 64
        @Option(help: "Drop items with fewer clicks.") var minClicks = 5
        @OptionGroup var output: Output

        func validate() throws {
            try ValidationError.require("--fraction", fraction, in: 1...)
        }

        func run() throws {
            var job = YooChooseImport(clicks: clicks)
            job.fraction = fraction
            job.minimumClicks = minClicks
            try output.print("yoochoose", job.run)
        }
    }

    struct KuaiRec: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "kuairec",
            abstract: "Convert the watched videos of KuaiRec."
        )

        @Argument(help: "big_matrix.csv; .gz too.", completion: .file()) var matrix: String
        @Argument(help: "item_categories.csv, for categories.", completion: .file()) var categories: String?
        @Argument(help: "kuairec_caption_category.csv, for titles.", completion: .file()) var captions: String?
        @Option(help: "The least ratio of watch time to video length of an interaction; 0 keeps every showing.")
        var minWatchRatio = 2.0
        @Option(help: "Drop videos, then users, with fewer interactions, once.") var minInteractions = 5
        @OptionGroup var output: Output

        func run() throws {
            var job = KuaiRecImport(matrix: matrix, categories: categories, captions: captions)
            job.minimumWatchRatio = minWatchRatio
            job.minimumInteractions = minInteractions
            try output.print("kuairec", job.run)
        }
    }

    struct AmazonReviews: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "amazon-reviews",
            abstract: "Convert Amazon reviews of 2014, 2018 or 2023, as JSON Lines or as ratings alone."
        )

        @Argument(help: "Reviews (JSON Lines) or ratings (CSV); .gz and .zst too.", completion: .file())
        var reviews: String
        @Argument(help: "Metadata (JSON Lines), for titles, categories, brands and prices.", completion: .file())
        var metadata: String?
        @Flag(help: "Ratings without a header have the item in front, as those of 2018 do.") var itemFirst = false
        @Option(help: "The lowest rating of an interaction; 0 keeps every review.") var minRating = 0.0
        @Option(help: "Keep users and items that have at least N interactions with each other; 0 keeps all.")
        var core = 5
        @OptionGroup var output: Output

        func run() throws {
            var job = AmazonReviewsImport(reviews: reviews, metadata: metadata)
            job.itemFirst = itemFirst
            job.minimumRating = minRating
            job.core = core
            try output.print("amazon-reviews", job.run)
        }
    }

    struct Gowalla: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "gowalla",
            abstract: "Convert check-ins of Gowalla or Brightkite."
        )

        @Argument(help: "loc-gowalla_totalCheckins.txt; .gz and .zst too.", completion: .file()) var checkIns: String
        @Option(help: "Keep users and places that have at least N check-ins with each other; 0 keeps all.")
        var core = 5
        @OptionGroup var output: Output

        func run() throws {
            var job = GowallaImport(checkIns: checkIns)
            job.core = core
            try output.print("gowalla", job.run)
        }
    }

    struct MovieLens: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "movielens",
            abstract: "Convert MovieLens ratings, as .dat (1M, 10M) or .csv (20M, 25M, 32M)."
        )

        @Argument(help: "ratings.dat or ratings.csv; .gz too.", completion: .file()) var ratings: String
        @Argument(help: "movies.dat or movies.csv, for titles and genres.", completion: .file()) var movies: String?
        @Option(help: "The lowest rating of an interaction; 0 keeps every rating.") var minRating = 0.0
        @Option(help: "Drop films, then users, with fewer interactions, once.") var minInteractions = 5
        @OptionGroup var output: Output

        func run() throws {
            var job = MovieLensImport(ratings: ratings, movies: movies)
            job.minimumRating = minRating
            job.minimumInteractions = minInteractions
            try output.print("movielens", job.run)
        }
    }
}

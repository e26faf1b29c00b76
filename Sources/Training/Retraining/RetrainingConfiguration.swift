import Foundation
public import Recommenders

/// Settings of a retraining round, the file of `dimerec retrain --config`; paths are relative to the folder of the file.
public struct RetrainingConfiguration: ConfigurationSection {
    /// The store (SQLite); created if missing.
    public var store = ""
    /// The name of the model in the store.
    public var model = ""
    /// The whole log, with the times of a clock: a name as `train --events` takes it, or a list of names.
    public var events = Events()
    /// The items file, for titles and categories; empty for none.
    public var items = ""
    /// The recipe; empty for that of the active version, or for one that suits the data.
    public var recipe = ""
    /// The columns of the events file whose names are not recognised.
    public var columns = Columns()
    /// How the new version is judged.
    public var judge = Judge()
    /// The metric file, in Prometheus' text format; empty for none.
    public var metrics = ""
    /// The file of the round's result, JSON; empty for none.
    public var record = ""
    /// How many of the newest versions stay in the store.
    public var keep = 7
    /// Most seconds of the training; 0 for the recipe's steps.
    public var maxSeconds = 0.0
    /// Seed of every draw.
    public var seed: UInt64 = 42
    /// Whether the log may have fewer events than before, because it is a moving window.
    public var logMayShrink = false

    /// The limits of the training.
    package var budget: TrainingBudget { TrainingBudget(seconds: maxSeconds > 0 ? maxSeconds : nil) }

    /// The names of a log's parts; in JSON a text, or a list of texts.
    public struct Events: Codable, Sendable, Equatable {
        /// The names, in the order in which the parts are read.
        public var names: [String]

        /// Some names.
        public init(_ names: [String] = []) { self.names = names }

        /// Reads one name or several.
        public init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            guard let name = try? container.decode(String.self) else {
                names = try container.decode([String].self)
                return
            }
            names = name.isEmpty ? [] : [name]
        }

        /// Writes one name as a text.
        public func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            if names.count < 2 { try container.encode(names.first ?? "") } else { try container.encode(names) }
        }
    }

    /// Names of columns; empty ones are recognised.
    public struct Columns: ConfigurationSection {
        /// The column of users.
        public var user = ""
        /// The column of items.
        public var item = ""
        /// The column of times.
        public var time = ""
        /// The column of kinds of events.
        public var event = ""
        /// The column of ratings.
        public var rating = ""
        /// The column of titles in the items file.
        public var title = ""
        /// The column of categories in the items file.
        public var categories = ""

        /// All are recognised.
        public init() {}

        /// Accepts all names.
        public func validate(prefix: String) throws(ConfigurationError) {}

        var names: EventColumns {
            EventColumns(
                user: user.isEmpty ? nil : user,
                item: item.isEmpty ? nil : item,
                time: time.isEmpty ? nil : time,
                event: event.isEmpty ? nil : event,
                rating: rating.isEmpty ? nil : rating,
                title: title.isEmpty ? nil : title,
                categories: categories.isEmpty ? nil : categories
            )
        }
    }

    /// How the new version is compared with the active one.
    public struct Judge: ConfigurationSection {
        /// The newest hours of the log, which are not trained on but judged by.
        public var hours = 24.0
        /// With fewer rows to judge by, the round ends without a training.
        public var minimumRows = 100
        /// The measure that is compared.
        public var measure = JudgedMeasure.hitRate

        /// The defaults.
        public init() {}

        /// Throws when a value is out of range.
        public func validate(prefix: String) throws(ConfigurationError) {
            try ConfigurationError.require(0.01...8760, contains: hours, key: prefix + "hours")
            try ConfigurationError.require(1...1_000_000, contains: minimumRows, key: prefix + "minimumRows")
        }
    }

    /// The defaults; store, model and events have none.
    public init() {}

    /// Throws when a value is out of range.
    public func validate(prefix: String) throws(ConfigurationError) {
        let hasEvents = !events.names.isEmpty && !events.names.contains("")
        let needed = [("store", store), ("model", model), ("events", hasEvents ? events.names[0] : "")]
        for (key, value) in needed where value.isEmpty {
            throw .invalidValue(key: prefix + key, reason: "it is missing.")
        }
        try columns.validate(prefix: prefix + "columns.")
        try judge.validate(prefix: prefix + "judge.")
        try ConfigurationError.require(1...10_000, contains: keep, key: prefix + "keep")
        try ConfigurationError.require(0...31_536_000, contains: maxSeconds, key: prefix + "maxSeconds")
    }

    /// Reads a file.
    ///
    /// - Throws: ``RetrainingError/settings(file:reason:)``.
    public init(contentsOf path: String) throws(RetrainingError) {
        guard let json = FileManager.default.contents(atPath: path) else {
            throw .settings(file: path, reason: "there is no readable file; see the guide on nightly retraining.")
        }
        do {
            self = try RetrainingConfiguration().merged(with: json)
            try ModelName.require(model)
        } catch {
            throw .settings(file: path, reason: Self.inFields("\(error)"))
        }
        let folder = URL(filePath: path).deletingLastPathComponent()
        func resolved(_ file: String) -> String {
            file.isEmpty ? file : URL(filePath: file, relativeTo: folder).path
        }
        (store, items) = (resolved(store), resolved(items))
        events.names = events.names.map { EventSource.resolved($0, in: folder) }
        (recipe, metrics, record) = (resolved(recipe), resolved(metrics), resolved(record))
    }
}

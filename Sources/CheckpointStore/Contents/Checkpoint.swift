public import Kernels

/// The content of a version: the data to answer requests, and the data to trust it.
public struct Checkpoint: Sendable {
    /// The version's description and origin.
    public var manifest: CheckpointManifest
    /// The model's named parameters.
    public var parameters: [String: Matrix]
    /// The items, by their dense numbers.
    public var catalogue: Catalogue
    /// Item numbers from most to least popular in the training part.
    public var popularity: [Int32]
    /// The built index over the item vectors, in its own saved form.
    public var index: [UInt8]

    /// Groups the parts of a version.
    public init(
        manifest: CheckpointManifest,
        parameters: [String: Matrix],
        catalogue: Catalogue,
        popularity: [Int32],
        index: [UInt8]
    ) {
        self.manifest = manifest
        self.parameters = parameters
        self.catalogue = catalogue
        self.popularity = popularity
        self.index = index
    }

    /// Moves the parameters out, so that their new owner may change them without a copy; the checkpoint then has
    /// none.
    ///
    /// - Returns: The parameters by name.
    public mutating func takeParameters() -> [String: Matrix] {
        var taken: [String: Matrix] = [:]
        swap(&taken, &parameters)
        return taken
    }
}

/// The items that a model knows; an item's number is its position here.
public struct Catalogue: Sendable, Equatable {
    /// The items' own ids, unique.
    public var ids: [String]
    /// Titles, one an item; empty when the catalogue has none.
    public var titles: [String]
    /// Category names.
    public var categoryNames: [String]
    /// Per item the numbers of its categories in `categoryNames`; empty when the catalogue has none.
    public var categories: [[Int32]]
    /// Further attributes, in the order of their names' UTF-8 bytes; none in versions of older builds.
    public var attributes: [AttributeColumn]

    /// Builds a catalogue; it sorts the attributes by name.
    ///
    /// - Precondition: `titles` and `categories` are empty or as long as `ids`, and each attribute is as long as `ids`.
    public init(
        ids: [String],
        titles: [String] = [],
        categoryNames: [String] = [],
        categories: [[Int32]] = [],
        attributes: [AttributeColumn] = []
    ) {
        precondition(titles.isEmpty || titles.count == ids.count, "\(titles.count) titles for \(ids.count) items")
        precondition(
            categories.isEmpty || categories.count == ids.count,
            "\(categories.count) category lists for \(ids.count) items"
        )
        for column in attributes {
            precondition(column.count == ids.count, "\(column.count) values of '\(column.name)' for \(ids.count) items")
        }
        self.ids = ids
        self.titles = titles
        self.categoryNames = categoryNames
        self.categories = categories
        self.attributes = attributes.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    /// How many items there are.
    public var count: Int { ids.count }
}

/// A version's description, training and quality.
public struct CheckpointManifest: Codable, Sendable, Equatable {
    /// The model's name in the store.
    public var model: String
    /// The version; assigned by the store when it publishes, 1 for a model's first.
    public var version = 0
    /// The system, such as `dimerec`.
    public var system: String
    /// The complete recipe, as JSON text.
    public var recipe: String
    /// The seed that training started from.
    public var seed: UInt64
    /// The build that trained it: program version, CPU level and BLAS core.
    public var build: String
    /// The time of publication, ISO 8601 in UTC; set by the store.
    public var createdAt = ""
    /// Length of an item vector.
    public var dimension: Int
    /// Number of items.
    public var items: Int
    /// Number of training rows.
    public var trainRows: Int
    /// Training time.
    public var seconds: Double
    /// Validation metrics as fractions, by name (`hr@20`).
    public var metrics: [String: Double]
    /// The training data.
    public var data: DataFingerprint
    /// The version that the training continued from; nil for a training from nothing.
    public var origin: VersionOrigin?
    /// The extent of the training log; nil for parts given as files, and in versions of older programs.
    public var log: LogExtent?
    /// The names of the log's columns that the training was given, by role (`time`); nil if all were recognised.
    public var columns: [String: String]?
    /// The validations of the training, oldest first; nil in versions of older programs.
    public var curve: [ValidationPoint]?
    /// The comparison with the version that it replaced; nil unless a retraining round published it.
    public var judgement: VersionJudgement?

    /// Describes a version before it is published.
    public init(
        model: String,
        system: String,
        recipe: String,
        seed: UInt64,
        build: String,
        dimension: Int,
        items: Int,
        trainRows: Int,
        seconds: Double,
        metrics: [String: Double],
        data: DataFingerprint
    ) {
        self.model = model
        self.system = system
        self.recipe = recipe
        self.seed = seed
        self.build = build
        self.dimension = dimension
        self.items = items
        self.trainRows = trainRows
        self.seconds = seconds
        self.metrics = metrics
        self.data = data
    }
}

/// Identifies the data and the split of a version, so that an evaluation can tell test users from training users.
public struct DataFingerprint: Codable, Sendable, Equatable {
    /// `users`, `time`, `leave-one-out`, or `files` when the parts were given as files.
    public var split: String
    /// The seed of a `users` split.
    public var splitSeed: UInt64
    /// SHA-256 of each input file's interactions, in hexadecimal, by role (`events`, `train`, `validation`).
    public var digests: [String: String]
    /// False if there is no test part, so that only events newer than the log can test the version; nil means true.
    public var holdsOutTest: Bool?

    /// Identifies data by its split and its content.
    public init(split: String, splitSeed: UInt64, digests: [String: String], holdsOutTest: Bool? = nil) {
        self.split = split
        self.holdsOutTest = holdsOutTest
        self.splitSeed = splitSeed
        self.digests = digests
    }
}

extension CheckpointManifest {
    /// That versions of a model were validated by different events; nil if all figures compare.
    public static func noteOfValidation(by versions: [CheckpointManifest]) -> String? {
        guard let first = versions.first, !versions.allSatisfy({ $0.data == first.data }) else { return nil }
        return
            "the versions of '\(first.model)' were validated by different events, so their validation figures do not "
            + "compare. `dimerec evaluate` measures versions on the same events"
    }
}

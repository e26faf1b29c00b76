/// An operator's settings of the versions in service, under their names in the configuration.
public struct ControllerConfiguration: Sendable, Equatable {
    /// MODEL: the models or aliases to serve, separated by commas; requests without a name get the first.
    ///
    /// Empty serves every model of the store. Then requests must name their model unless the store has only one.
    public var models: [String] = []
    /// POLL_INTERVAL_MS: how often the process reads the store's choices.
    public var pollInterval: Duration = .seconds(1)
    /// KEEP_VERSIONS: how many versions of a model stay in memory, the active one included; at least 1.
    ///
    /// The version before the active one stays for a rollback. During a load there are at most this many, or two.
    public var keepVersions = 2
    /// IMPORT_FOLDER: the folder whose exported versions are imported and activated; nil is none.
    public var importFolder: String?
    /// RETAIN_VERSIONS: how many versions of a model the store keeps after an import, besides those in use.
    ///
    /// 0 keeps all.
    public var retainVersions = 10
    /// MIN_RECALL: the least recall of a version's index, 0 to 1; the service rejects a version below it.
    public var minRecall = 0.8
    /// RECALL_SAMPLE: one retrieval of this many is answered again exactly, off the event loops; 0 is none.
    public var recallSample = 10_000

    /// The defaults.
    public init() {}
}

/// What an operator may set about the versions in service; the names are those of the configuration.
public struct ControllerConfiguration: Sendable, Equatable {
    /// MODEL: the models or aliases to serve, separated by commas; requests that name none get the first.
    ///
    /// Empty serves every model of the store, and only requests to a store with a single one need not name it.
    public var models: [String] = []
    /// POLL_INTERVAL_MS: how often the store is asked what is to be served.
    public var pollInterval: Duration = .seconds(1)
    /// KEEP_VERSIONS: how many versions of a model stay in memory, the active one included, so that a rollback finds the
    /// one before it; at least 1.
    ///
    /// While a version is loaded there are at most this many, or two.
    public var keepVersions = 2
    /// IMPORT_FOLDER: where exported versions are dropped to be published; nil is nowhere.
    public var importFolder: String?
    /// RETAIN_VERSIONS: how many versions of a model the store keeps after an import; those in use are kept besides.
    ///
    /// 0 keeps all.
    public var retainVersions = 10
    /// MIN_RECALL: the least share of a version's exact answers that its index must find before it may serve, 0 to 1.
    public var minRecall = 0.8
    /// RECALL_SAMPLE: one in so many retrievals is answered again exactly, off the event loops; 0 is none.
    public var recallSample = 10_000

    /// The defaults.
    public init() {}
}

package import Logging
package import Serving

/// Every setting of the service; ``Setting/all`` has the names, ranges and defaults.
package struct ServiceConfiguration: Sendable, Equatable {
    /// The settings of both listeners.
    package var server = ServerConfiguration()
    /// The settings of the versions in service.
    package var controller = ControllerConfiguration()
    /// STORE: the path of the store.
    package var store: String?
    /// CHECKPOINT_URL: the address of an index document whose versions the service pulls; nil pulls none.
    package var checkpointURL: String?
    /// CHECKPOINT_POLL_S: how often the service asks for the index document.
    package var checkpointPoll = Duration.seconds(10)
    /// CHECKPOINT_SPREAD_S: the time over which the replicas spread a new version.
    package var checkpointSpread = Duration.seconds(60)
    /// REPLICA_NAME: the replica's name in a roll-out; nil is the host's name and the data plane's port.
    package var replicaName: String?
    /// The settings of the search outside of the process.
    package var search = SearchConfiguration()
    /// CONTROL_TOKEN_FILE: the file whose text is the control plane's token.
    package var controlTokenFile: String?
    /// WARMUP_REQUESTS: how many synthetic requests a version answers before it goes into service.
    package var warmUpRequests = 200
    /// GUIDANCE_KEYS_MB: memory for a version's attention keys, in MiB.
    package var guidanceKeysMB = 256
    /// CONFIG: the path of the settings file.
    package var configFile: String?
    /// LOG_LEVEL: the lowest level that is logged.
    package var logLevel = Logger.Level.info
    /// LOG_FORMAT: the format of a log line.
    package var logFormat = LineLogHandler.Format.json

    /// The defaults.
    package init() {}

    /// Reads every setting.
    ///
    /// The command line overrides the environment, which overrides the settings file.
    ///
    /// - Parameters:
    ///   - commandLine: Values of the settings' own flags, by setting name.
    ///   - assignments: The other settings on the command line, each `NAME=VALUE`.
    ///   - environment: The variables of the process.
    /// - Throws: ``SettingError``, or ``ServerError`` for values that conflict with each other.
    package init(commandLine: [String: String], assignments: [String], environment: [String: String]) throws {
        let environment = SettingSource.environment(environment)
        var sources = [
            SettingSource.commandLine(commandLine),
            try SettingSource.assignments(assignments),
            environment,
        ]
        if let path = sources.lazy.compactMap({ $0["CONFIG"] }).first { sources.append(try .file(path)) }
        for setting in Setting.all {
            guard let source = sources.first(where: { $0[setting.name] != nil }), let text = source[setting.name]
            else { continue }
            guard setting.read(text, into: &self) else {
                throw SettingError.invalid(setting, value: text, place: source.place(of: setting))
            }
        }
        if let controlTokenFile { server.controlToken = try Self.token(in: controlTokenFile) }
        try server.validate()
    }
}

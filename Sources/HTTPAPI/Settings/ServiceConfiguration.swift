package import Logging
package import Serving

/// Everything that an operator may set about the service; ``Setting/all`` has its names, ranges and defaults.
package struct ServiceConfiguration: Sendable, Equatable {
    /// Both listeners.
    package var server = ServerConfiguration()
    /// The versions in service.
    package var controller = ControllerConfiguration()
    /// STORE: the path of the store.
    package var store: String?
    /// CONTROL_TOKEN_FILE: the file whose text is the control plane's token.
    package var controlTokenFile: String?
    /// WARMUP_REQUESTS: how many made-up requests a version answers before it serves.
    package var warmUpRequests = 200
    /// GUIDANCE_KEYS_MB: memory for a version's attention keys, in MiB.
    package var guidanceKeysMB = 256
    /// CONFIG: the path of the settings file.
    package var configFile: String?
    /// LOG_LEVEL: the least severe level that is logged.
    package var logLevel = Logger.Level.info
    /// LOG_FORMAT: how a line of the log is written.
    package var logFormat = LineLogHandler.Format.json

    /// The defaults.
    package init() {}

    /// Finds every setting: the command line counts before the environment, and that before the settings file.
    ///
    /// - Parameters:
    ///   - commandLine: Texts by setting name, from flags of their own.
    ///   - assignments: Further settings of the command line, each `NAME=VALUE`.
    ///   - environment: The variables of the process.
    /// - Throws: ``SettingError``, or the ``ServerError`` of values that are wrong together.
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

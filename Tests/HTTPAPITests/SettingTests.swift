import Foundation
import HTTPAPI
import Serving
import Testing

@Suite("Setting") struct SettingTests {
    /// A folder that is deleted after the test.
    private final class Folder {
        let path = FileManager.default.temporaryDirectory.appending(path: "settings-\(UUID().uuidString)").path

        init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        func write(_ text: String, to name: String) throws -> String {
            let file = "\(path)/\(name)"
            try text.write(toFile: file, atomically: false, encoding: .utf8)
            return file
        }
    }

    private func read(
        flags: [String: String] = [:],
        set: [String] = [],
        environment: [String: String] = [:]
    ) throws -> ServiceConfiguration {
        try ServiceConfiguration(commandLine: flags, assignments: set, environment: environment)
    }

    /// Two allowed values of a setting, neither its default.
    private func values(of setting: Setting, in folder: Folder) throws -> [String] {
        switch (setting.name, setting.kind) {
        case ("CONTROL_TOKEN_FILE", _):
            try ["first", "second"].map { try folder.write("0123456789-\($0)-token", to: $0) }
        case ("CONTROL_HOST", _): ["127.0.0.2", "127.0.0.3"]
        case (_, .integer(let range)): ["\(range.lowerBound + 3)", "\(range.lowerBound + 4)"]
        case (_, .decimal(let range)): ["\((range.lowerBound + range.upperBound) / 2)", "\(range.upperBound)"]
        case (_, .choice(let words)): words.count > 2 ? [words[0], words[1]] : words
        case (_, .text): ["one", "two"]
        case (_, .address): ["http://one:8000/index.json", "https://two/index.json"]
        case (_, .servers): ["postgres://a/d", "postgres://a/d,postgresql://u:p@b:5433/e"]
        case (_, .list): ["one", "two,three"]
        }
    }

    @Test("the command line overrides the environment, which overrides the file, for every setting")
    func orders() throws {
        let folder = try Folder()
        for setting in Setting.all where setting.key != nil {
            let values = try values(of: setting, in: folder)
            let (a, b) = (values[0], values[1])
            let key = try #require(setting.key)
            let file = try folder.write("{\"\(key)\": \"\(a)\"}", to: "config.json")
            let path = ["DIMEREC_CONFIG": file]
            #expect(setting.text(try read(environment: path)) == a, "\(setting.name)")
            let both = path.merging([setting.variable: b]) { $1 }
            #expect(setting.text(try read(environment: both)) == b, "\(setting.name)")
            #expect(setting.text(try read(set: ["\(setting.name)=\(a)"], environment: both)) == a, "\(setting.name)")
            #expect(setting.text(try read(flags: [setting.name: a], environment: both)) == a, "\(setting.name)")
            let empty = path.merging([setting.variable: ""]) { $1 }
            #expect(setting.text(try read(environment: empty)) == a, "\(setting.name)")
        }
    }

    @Test("one setting does not change another")
    func changesOne() throws {
        let folder = try Folder()
        for setting in Setting.all where setting.key != nil {
            let value = try #require(try values(of: setting, in: folder).last { $0 != setting.defaultText })
            let changed = try read(set: ["\(setting.name)=\(value)"])
            let others = Setting.all.filter { $0.name != setting.name }
            #expect(others.allSatisfy { $0.text(changed) == $0.defaultText }, "\(setting.name)")
            #expect(changed != ServiceConfiguration())
        }
    }

    @Test("a value that is not allowed is an error with key, value and range, from every source")
    func refusesValues() throws {
        let folder = try Folder()
        for setting in Setting.all {
            var wrong: [String]
            var range: [String] = []
            switch setting.kind {
            case .integer(let allowed):
                wrong = [
                    "\(allowed.lowerBound - 1)", "\(allowed.upperBound + 1)", "\(Int.max)", "99999999999999999999",
                ]
                wrong += ["x", "80x", " 8", "8.5", "0x10", "1e3", "true", "-"]
                range = ["\(allowed.lowerBound)", "\(allowed.upperBound)"]
            case .decimal(let allowed):
                wrong = ["\(allowed.lowerBound - 0.1)", "\(allowed.upperBound + 0.1)", "nan", "inf", "x", "0,5"]
                range = ["\(allowed.lowerBound)", "\(allowed.upperBound)"]
            case .choice(let words):
                wrong = ["x", words[0].uppercased()]
                range = words
            case .list: wrong = ["a,,b", ","]
            case .servers: wrong = ["postgres://a/d,", "http://a", "postgres:///d", "a"]
            case .text: wrong = []
            case .address:
                wrong = ["x", "ftp://host/index.json", "http://", "https:///index.json", "/srv/index.json"]
                range = ["http://", "https://"]
            }
            for value in wrong {
                let sources = [
                    ("--set \(setting.name)", { try read(set: ["\(setting.name)=\(value)"]) }),
                    (setting.variable, { try read(environment: [setting.variable: value]) }),
                    (
                        "'\(setting.key ?? "")' in",
                        {
                            let file = try folder.write("{\"\(setting.key ?? "")\": \"\(value)\"}", to: "config.json")
                            return try read(flags: ["CONFIG": file])
                        }
                    ),
                ]
                for (place, read) in sources {
                    do {
                        _ = try read()
                        Issue.record("\(setting.name) took '\(value)'")
                    } catch {
                        let message = "\(error)"
                        #expect(error is SettingError && message.contains(setting.name) && message.hasPrefix(place))
                        #expect(message.contains("'\(value)'") && range.allSatisfy { message.contains($0) })
                    }
                }
            }
        }
    }

    @Test("a settings file may hold only strings, numbers, lists and null")
    func readsFile() throws {
        let folder = try Folder()
        func read(_ text: String) throws -> ServiceConfiguration {
            try self.read(flags: ["CONFIG": try folder.write(text, to: "config.json")])
        }
        let text =
            "{\"maxK\": 7, \"maxBatch\": \"8\", \"minRecall\": 0.5, \"model\": [\"a\", \"b\"], \"httpPort\": null}"
        let configuration = try read(text)
        #expect(configuration.server.limits.maxK == 7 && configuration.server.limits.maxBatch == 8)
        #expect(configuration.controller.minRecall == 0.5 && configuration.controller.models == ["a", "b"])
        #expect(configuration.server.httpPort == ServerConfiguration().httpPort)
        let wrong = [
            ("{\"maxK\": true}", "maxK"), ("{\"maxK\": {}}", "maxK"), ("{\"max_k\": 7}", "max_k"),
            ("{\"MAX_K\": 7}", "MAX_K"), ("{\"config\": \"other.json\"}", "config"), ("[]", "JSON object"),
            ("{", "JSON object"),
            ("", "JSON object"), ("{\"store\": \"\"}", "STORE"), ("{\"maxK\": 7.5}", "MAX_K"),
        ]
        for (text, part) in wrong {
            do {
                _ = try read(text)
                Issue.record("\(text) was taken")
            } catch {
                #expect(error is SettingError && "\(error)".contains(part), "\(text): \(error)")
            }
        }
        #expect(throws: SettingError.self) { try self.read(flags: ["CONFIG": "\(folder.path)/none.json"]) }
        #expect(throws: SettingError.self) { try self.read(set: ["MAX_K"]) }
        #expect(throws: SettingError.self) { try self.read(set: ["MAXK=3"]) }
        #expect(try self.read(set: ["MAX_K=3", "MAX_K=4"]).server.limits.maxK == 4)
    }

    @Test("the token is read without surrounding white space and appears in no error")
    func keepsToken() throws {
        let folder = try Folder()
        let token = "a-long-secret-of-24-bytes"
        let file = try folder.write("  \(token)\n", to: "token")
        let configuration = try read(set: ["CONTROL_TOKEN_FILE=\(file)", "CONTROL_HOST=0.0.0.0"])
        #expect(configuration.server.controlToken == token)
        #expect(Setting.all.allSatisfy { !$0.text(configuration).contains(token) })
        let short = try folder.write("short-one", to: "short")
        do {
            _ = try read(set: ["CONTROL_TOKEN_FILE=\(short)"])
            Issue.record("a short token was taken")
        } catch {
            #expect("\(error)".contains("CONTROL_TOKEN_FILE") && !"\(error)".contains("short-one"))
        }
        #expect(throws: ServerError.openControlPlane(host: "0.0.0.0")) { try read(set: ["CONTROL_HOST=0.0.0.0"]) }
        #expect(throws: SettingError.self) { try read(set: ["CONTROL_TOKEN_FILE=\(folder.path)/none"]) }
    }

    @Test("a duration above every range still has a text", arguments: [Int64.max, 9_000_000_000_000_000])
    func longDuration(seconds: Int64) throws {
        let setting = try #require(Setting.all.first { $0.name == "POLL_INTERVAL_MS" })
        var configuration = ServiceConfiguration()
        configuration.controller.pollInterval = .seconds(seconds)
        #expect(Double(setting.text(configuration)) == Double(seconds) * 1000)
    }

    @Test("an unknown variable is found")
    func findsUnknownVariables() {
        var variables = Dictionary(uniqueKeysWithValues: Setting.all.map { ($0.variable, "1") })
        variables["DIMEREC_BLAS_CORE"] = "Haswell"
        variables["PATH"] = "/bin"
        #expect(SettingSource.unknownVariables(in: variables) == [])
        variables["DIMEREC_PORT"] = "80"
        variables["DIMEREC_"] = ""
        #expect(SettingSource.unknownVariables(in: variables) == ["DIMEREC_", "DIMEREC_PORT"])
    }

    @Test("names, keys and flags are unique, and every default is allowed")
    func isConsistent() throws {
        #expect(Set(Setting.all.map(\.name)).count == Setting.all.count)
        #expect(Set(Setting.all.compactMap(\.key)).count == Setting.all.count - 1)
        let flags = Setting.all.compactMap(\.flag)
        #expect(Set(flags).count == flags.count)
        for setting in Setting.all where !setting.defaultText.isEmpty {
            #expect(throws: Never.self) { try read(set: ["\(setting.name)=\(setting.defaultText)"]) }
        }
    }

    @Test("the documentation page equals the program's output")
    func documents() throws {
        let page = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Sources/dimerec/Documentation.docc/Reference/Configuration.md")
        let text = try String(contentsOf: page, encoding: .utf8)
        #expect(
            text == SettingReference.markdown + "\n",
            "run deploy/generate-reference PROGRAM"
        )
        let json = try JSONSerialization.jsonObject(with: Data(try SettingReference.json().utf8)) as? [String: Any]
        let rows = try #require(json?["settings"] as? [[String: Any]])
        #expect(rows.compactMap { $0["name"] as? String } == Setting.all.map(\.name))
        #expect(Setting.all.allSatisfy { SettingReference.text.contains("  \($0.name)") })
    }
}

import ArgumentParser
import Foundation
import HTTPAPI

struct Settings: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tell every setting of serve: name, values, default, what it does."
    )
    @Flag(help: "Print the page of the documentation.") var markdown = false
    @Flag(help: "Print one JSON object.") var json = false

    func validate() throws {
        guard !(markdown && json) else { throw ValidationError("--markdown and --json exclude each other.") }
    }

    func run() throws {
        if json { return Terminal.print(try SettingReference.json()) }
        Terminal.print(markdown ? SettingReference.markdown : SettingReference.text)
    }
}

extension ArgumentHelp {
    /// What the reference says of a setting.
    init(setting name: String) {
        let setting = Setting.named(name)
        let initial = setting.defaultText.isEmpty ? "" : " By default \(setting.defaultText)."
        self.init("\(setting.name): \(setting.summary)\(initial)")
    }
}

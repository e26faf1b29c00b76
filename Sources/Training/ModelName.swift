/// The rules for model names.
///
/// A name is part of the control plane's paths, of command lines and of file names. Versions that older programs
/// stored under other names can still be served, listed and removed.
public enum ModelName {
    /// The most bytes of a name.
    public static let longest = 128

    /// Rejects a name that is not allowed.
    ///
    /// - Throws: ``ModelNameError``.
    public static func require(_ name: String) throws(ModelNameError) {
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: false
            }
        }
        guard name.utf8.count <= longest, let first = name.utf8.first, isAlphanumeric(first),
            name.utf8.allSatisfy({ isAlphanumeric($0) || "._-".utf8.contains($0) })
        else { throw ModelNameError(name: name) }
    }
}

/// A name that is not allowed for a model.
public struct ModelNameError: Error, Equatable, CustomStringConvertible {
    /// The name.
    public let name: String

    /// An error for a name.
    public init(name: String) {
        self.name = name
    }

    /// The name and the rules for names.
    public var description: String {
        "\(name.prefix(200).debugDescription) cannot name a model. A name has 1 to \(ModelName.longest) letters (a-z), digits, "
            + "'.', '_' and '-', and starts with a letter or digit; give one with --model."
    }
}

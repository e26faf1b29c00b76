extension JSONReader {
    /// Reads a string and appends its characters' UTF-8 bytes.
    package mutating func string(appendingTo output: inout [UInt8]) throws(JSONSyntaxError) {
        position += 1
        var start = position
        while let byte = peek() {
            switch byte {
            case UInt8(ascii: "\""):
                output.append(contentsOf: bytes[start..<position])
                position += 1
                return
            case UInt8(ascii: "\\"):
                output.append(contentsOf: bytes[start..<position])
                try escape(appendingTo: &output)
                start = position
            case 0..<0x20: throw error("a control character in a string must be escaped")
            case 0..<0x80: position += 1
            default: try skipMultibyte()
            }
        }
        throw error("the text ends inside a string")
    }

    private mutating func escape(appendingTo output: inout [UInt8]) throws(JSONSyntaxError) {
        position += 1
        guard let byte = peek() else { throw error("the text ends inside a string") }
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): output.append(byte)
        case UInt8(ascii: "b"): output.append(0x08)
        case UInt8(ascii: "f"): output.append(0x0c)
        case UInt8(ascii: "n"): output.append(0x0a)
        case UInt8(ascii: "r"): output.append(0x0d)
        case UInt8(ascii: "t"): output.append(0x09)
        case UInt8(ascii: "u"):
            try unicodeEscape(appendingTo: &output)
            return
        default: throw error("an unknown escape")
        }
        position += 1
    }

    private mutating func unicodeEscape(appendingTo output: inout [UInt8]) throws(JSONSyntaxError) {
        let start = position
        var value = try hexadecimal()
        if 0xd800..<0xdc00 ~= value, peek() == UInt8(ascii: "\\") {
            position += 1
            guard peek() == UInt8(ascii: "u") else {
                throw JSONSyntaxError(offset: start, reason: "a surrogate without its pair")
            }
            let low = try hexadecimal()
            guard 0xdc00..<0xe000 ~= low else {
                throw JSONSyntaxError(offset: start, reason: "a surrogate without its pair")
            }
            value = 0x10000 + (value - 0xd800) << 10 + (low - 0xdc00)
        }
        guard let scalar = UnicodeScalar(value) else {
            throw JSONSyntaxError(offset: start, reason: "a surrogate without its pair")
        }
        output.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    }

    /// Reads `u` and four hexadecimal digits.
    private mutating func hexadecimal() throws(JSONSyntaxError) -> UInt32 {
        position += 1
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = peek(), let digit = Character(UnicodeScalar(byte)).hexDigitValue, byte < 0x80 else {
                throw error("four hexadecimal digits are expected")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    /// Skips one character of two bytes or more, by table 3-7 of the Unicode standard.
    private mutating func skipMultibyte() throws(JSONSyntaxError) {
        let lead = bytes[position]
        let second: ClosedRange<UInt8>
        let length: Int
        switch lead {
        case 0xc2...0xdf: (second, length) = (0x80...0xbf, 2)
        case 0xe0: (second, length) = (0xa0...0xbf, 3)
        case 0xed: (second, length) = (0x80...0x9f, 3)
        case 0xe1...0xef: (second, length) = (0x80...0xbf, 3)
        case 0xf0: (second, length) = (0x90...0xbf, 4)
        case 0xf1...0xf3: (second, length) = (0x80...0xbf, 4)
        case 0xf4: (second, length) = (0x80...0x8f, 4)
        default: throw error("a byte that is not UTF-8")
        }
        guard position + length <= bytes.count, second ~= bytes[position + 1],
            bytes[(position + 2)..<(position + length)].allSatisfy({ 0x80...0xbf ~= $0 })
        else { throw error("a byte that is not UTF-8") }
        position += length
    }
}

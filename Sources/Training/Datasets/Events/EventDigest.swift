import Kernels

/// The SHA-256 of events in order: lengths and bytes of user and item, and the time.
struct EventDigest {
    private static let room = 1 << 16

    private var hash = SHA256()
    private var buffer = [UInt8](repeating: 0, count: room)
    private var filled = 0

    /// Adds an event: its time as the nearest Double, the remainder when that Double is not exact, and a weight other
    /// than 1.
    mutating func add(user: ArraySlice<UInt8>, item: ArraySlice<UInt8>, time: Timestamp, weight: Float = 1) {
        add(user)
        add(item)
        add(time.nearest.bitPattern)
        // No id has these lengths, so the next bytes cannot be mistaken for another event.
        if time.remainder != 0 {
            add(UInt32.max)
            add(time.remainder)
        }
        if weight != 1 {
            add(UInt32.max - 1)
            add(weight.bitPattern)
        }
    }

    /// The digest of all events, in hexadecimal.
    consuming func hexadecimal() -> String {
        flush()
        return hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private mutating func add(_ text: ArraySlice<UInt8>) {
        add(UInt32(text.count))
        if text.count > Self.room - filled { flush() }
        guard text.count <= Self.room else {
            hash.update(Array(text).span)
            return
        }
        for byte in text {
            buffer[filled] = byte
            filled += 1
        }
    }

    /// Adds a number, its lowest byte first.
    private mutating func add(_ value: some FixedWidthInteger) {
        let count = value.bitWidth / 8
        if count > Self.room - filled { flush() }
        var rest = value
        for _ in 0..<count {
            buffer[filled] = UInt8(truncatingIfNeeded: rest)
            filled += 1
            rest >>= 8
        }
    }

    private mutating func flush() {
        // Take the value out while it is read, so that no part of `self` is read and written at once.
        var full: [UInt8] = []
        swap(&full, &buffer)
        hash.update(full.span.extracting(0..<filled))
        swap(&full, &buffer)
        filled = 0
    }
}

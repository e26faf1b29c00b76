import Foundation

/// Statistics of this process, read from /proc (see `man 5 proc`).
struct ProcessStatistics {
    /// User and system time.
    let cpuSeconds: Double
    let residentBytes: Int
    let openDescriptors: Int
    /// Seconds since 1970.
    let startTime: Double

    /// Reads the current values; nil on systems without /proc.
    init?() {
        // The name in parentheses may hold spaces; the fields after it are numbered from 3.
        guard let fields = Self.text("/proc/self/stat")?.split(separator: ")").last?.split(separator: " "),
            fields.count > 21, let user = Double(fields[11]), let system = Double(fields[12]),
            let start = Double(fields[19]), let pages = Int(fields[21]),
            let boot = Self.text("/proc/stat")?.split(separator: "\n").first(where: { $0.hasPrefix("btime ") }),
            let bootTime = Double(boot.dropFirst(6)),
            let descriptors = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
        else { return nil }
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        cpuSeconds = (user + system) / ticks
        residentBytes = pages * sysconf(Int32(_SC_PAGESIZE))
        // One of the descriptors was open for this listing.
        openDescriptors = descriptors.count - 1
        startTime = bootTime + start / ticks
    }

    private static func text(_ path: String) -> String? {
        guard let file = FileHandle(forReadingAtPath: path), let data = try? file.readToEnd() else { return nil }
        return String(decoding: data, as: UTF8.self)
    }
}

import ArgumentParser
import HTTPAPI
import Training

/// `reference`: the pages of the documentation that the code itself writes.
struct Reference: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print a page of the documentation that is made from the code, in Markdown.",
        discussion: "deploy/generate-reference writes all pages; with --check it fails if one is stale."
    )

    enum Page: String, CaseIterable, ExpressibleByArgument {
        case commandLine = "command-line"
        case recipes
        case settings
        case metrics
    }

    @Argument(help: "The page.") var page: Page

    func run() throws {
        Terminal.print(try markdown)
    }

    private var markdown: String {
        get throws {
            switch page {
            case .commandLine: try CommandReference().markdown
            case .recipes: RecipeReference.markdown
            case .settings: SettingReference.markdown
            case .metrics: MetricReference.markdown
            }
        }
    }
}

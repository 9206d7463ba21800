#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "cli/cli.h"

namespace gyre::apps {

/// The OCI runtime alone, with the same image and namespaces, and then one write that is synced to
/// the disk: what a start in Gyre is measured against. Errors: Unsupported, there is no runtime, or
/// not root; the image store's.
Result<std::unique_ptr<cli::BareStarts>> bare_starts(const std::string& image);

}  // namespace gyre::apps

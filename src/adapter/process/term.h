#pragma once

#include <cstdint>
#include <string>

#include "adapter/process/files.h"

namespace gyre::process {

/// The latest term of a server that has led this node, in a file of its own. It is all that keeps a
/// node from obeying an older server, so it outlasts a loss of power. Not thread-safe.
class Term {
 public:
  /// Of that folder; 0 where no server has led the node. Errors: the disk's; Invalid, the file is
  /// damaged.
  static Result<Term> open(const std::string& folder);

  /// Whether a server of that term may lead the node: from now on none of an older term may.
  /// Errors: Conflict, one of a later term has led it; Internal, the term cannot be kept.
  Result<void> accept(std::uint64_t term);

 private:
  Term(Fd folder, std::uint64_t latest) : folder_(std::move(folder)), latest_(latest) {}

  Fd folder_;
  std::uint64_t latest_;
};

}  // namespace gyre::process

#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace gyre::live {

/// Decides who may speak as which node. Thread-safe; waits for the disk. First implementation:
/// adapter/openssl.
class Gatekeeper {
 public:
  virtual ~Gatekeeper() = default;

  /// A token that lets one node in once, within `lifetime`; for that node alone where `node` is not
  /// empty. Errors: Invalid, a name that no node may have.
  virtual Result<std::string> make_token(const std::string& node, Duration lifetime) = 0;

  /// What a new node asks with: a token, its name, and a certificate request.
  struct Application {
    std::string token;
    std::string node;
    std::string request_pem;
    bool is_held = false;  // tasks of a node of that name may still run
  };
  /// The node's certificate; the token is used up. Errors: Conflict, the token is unknown, over,
  /// used, or another node's, or the name is taken or held; Invalid, a bad name or request. Without
  /// a token that fits, nothing is told of any name.
  virtual Result<std::string> admit(const Application& application) = 0;

  /// The node whose certificate this is. Errors: Conflict, it has been replaced since.
  virtual Result<std::string> identify(const std::string& certificate_pem) = 0;

  /// A new certificate for a node that has shown its present one.
  virtual Result<std::string> renew(const std::string& node, const std::string& request_pem) = 0;

  struct Member {
    std::string node;
    std::optional<Time> expires_at;  // its certificate; none: not known
  };
  /// Who is in, and how long.
  struct Roster {
    std::vector<Member> members;  // by name
    std::size_t tokens_open = 0;  // not used, and not over
    Time expires_at;              // the authority's own certificate
  };
  virtual Result<Roster> roster() const = 0;
};

}  // namespace gyre::live

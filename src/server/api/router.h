#pragma once

#include <functional>
#include <string>
#include <vector>

#include "server/http/message.h"
#include "server/http/problem.h"

namespace gyre::server {

/// One request on its way to a route. `id` is what stood for {id} in the route's path.
struct Call {
  http::Request request;
  std::string id;
  http::Reply reply;

  void answer(http::Response response) const;
  void fail(http::Problem problem) const;
};

/// Of a route that looks at none: a page is the same whatever a link to it carries along.
inline const std::vector<std::string> kAnyParameters{"*"};

/// Finds the route of a request by path and method. Answers by itself 404 and 405 (with Allow), and
/// 400 for a query parameter that the route does not know. Thread-safe once all routes are added.
class Router {
 public:
  using Handler = std::function<void(Call)>;

  /// `pattern` is a path; "{id}" stands for any one segment. `parameters` are those of the query;
  /// kAnyParameters: whatever there is.
  void add(std::string method, std::string pattern, std::vector<std::string> parameters,
           Handler handler);

  void handle(http::Request request, http::Reply reply) const;

 private:
  struct Route {
    std::string method;
    std::vector<std::string> segments;
    std::vector<std::string> parameters;
    Handler handler;
  };
  std::vector<Route> routes_;
  std::string where_to_look_;  // for who asks for what is not there
  bool listed_ = false;        // a route lists them all
};

}  // namespace gyre::server

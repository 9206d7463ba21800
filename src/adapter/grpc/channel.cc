#include "adapter/grpc/channel.h"

#include <grpcpp/grpcpp.h>

namespace gyre::adapter::rpc {

std::shared_ptr<::grpc::Channel> open_channel(const std::string& server, const Identity& identity,
                                              int keepalive_ms) {
  require_tls13();
  ::grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = identity.authority_pem;
  tls.pem_private_key = identity.key_pem;
  tls.pem_cert_chain = identity.certificate_pem;
  ::grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride(kServerName);
  arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, keepalive_ms);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, keepalive_ms);
  // Also how long one that takes the connection and says nothing is waited for.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, keepalive_ms);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return ::grpc::CreateCustomChannel(server, ::grpc::SslCredentials(tls), arguments);
}

}  // namespace gyre::adapter::rpc

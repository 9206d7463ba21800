#include "cli/terminal.h"

#include <sys/ioctl.h>

namespace gyre::cli {

RawTerminal::RawTerminal(int descriptor) : descriptor_(descriptor) {
  termios mode{};
  if (::tcgetattr(descriptor, &mode) != 0) return;
  before_ = mode;
  ::cfmakeraw(&mode);
  ::tcsetattr(descriptor, TCSADRAIN, &mode);
}

RawTerminal::~RawTerminal() {
  if (before_) ::tcsetattr(descriptor_, TCSADRAIN, &*before_);
}

act::WindowSize window_size(int descriptor) {
  winsize size{};
  if (::ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) {
    return {};
  }
  return {size.ws_col, size.ws_row};
}

}  // namespace gyre::cli

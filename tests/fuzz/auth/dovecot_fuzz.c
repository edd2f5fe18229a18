/* Lines of Dovecot's: what is read of one lies in it. */
#include <stdint.h>

#include "auth/dovecot_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_of((const char *)data, size);
    struct dovecot_line line;

    dovecot_line_read(text, &line);
    BUG_ON(line.user.n && (line.user.p < text.p || line.user.p + line.user.n > text.p + text.n));
    BUG_ON(line.mechanism.n && (line.mechanism.p < text.p || line.mechanism.p + line.mechanism.n > text.p + text.n));
    BUG_ON(str_has(line.user, '\1') || str_has(line.user, '\t'));
    return 0;
}

/* log/live.h -- dialogues told as they go on, line by line, to those who asked for them (FACE 2.1, trace --live). */
#ifndef LOG_LIVE_H
#define LOG_LIVE_H

#include "log/record.h"

enum { LIVE_WATCHES_MAX = 4, LIVE_ADDRESS_MAX = 256 };

/* Whose dialogues: of a session, of a client or host by its address, or of a sender or recipient. One is not empty. */
struct live_watch {
    uint64_t ticket; /* 0: free */
    char session[SESSION_ID_CHARS + 1];
    char client[48];
    char address[LIVE_ADDRESS_MAX];
};

/* Of one process: nobody watches, nearly always, and then a dialogue costs one look at N. */
struct live {
    unsigned n;
    uint32_t changes;
    struct live_watch watches[LIVE_WATCHES_MAX];
};

/* A dialogue, as far as it is told of. All zeros at its beginning. */
struct live_dialogue {
    uint32_t changes; /* of struct live, when HEARD was right */
    unsigned heard;   /* bits of watches whose address was said in it */
    bool hides;       /* the client's next line is its answer to 334: never shown */
    uint64_t content; /* octets of the content under way */
};

/* Who speaks. SESSION or HOST is empty. */
struct live_who {
    struct str session;
    struct str host;
    struct str address; /* of the client, or of the host */
};

/* False: there is no place for more. */
bool live_add(struct live *l, uint64_t ticket, struct str session, struct str client, struct str address);
void live_remove(struct live *l, uint64_t ticket);
/* Control is gone, and with it those who watched. */
void live_clear(struct live *l);

/*
 * Lines that were said, each with its CRLF, as records of the event dialogue: for those who watch only, never in a
 * log. What follows AUTH and its mechanism is left out; an answer to 334 is "(hidden)".
 */
void live_lines(struct live *l, struct live_dialogue *d, const struct live_who *who, bool by_client, struct str lines);
/* The content is over: its size is told, never a word of it. */
void live_content(struct live *l, struct live_dialogue *d, const struct live_who *who);

#endif
